"""`python -m ml_X.train [METHOD] …` of every service: the row of TRAINERS that is meant, its options, the exit status.

0 done, 2 bad arguments or data, 130 and 143 stopped by Ctrl-C and SIGTERM after a checkpoint was written.
"""

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers.utils import logging

from shared import command
from shared.errors import InvalidRequest, ServiceError
from shared.training import memory
from shared.training.processes import is_main
from shared.training.settings import TrainingArgs
from shared.training.signals import Interrupted


@dataclass(frozen=True)
class Trainer:
    """`main(args, settings)` trains, publishes and returns the model's name or folder; `about` is for --help."""

    Args: type[TrainingArgs]
    main: Callable[[Any, Any], str]
    about: str


@dataclass(frozen=True)
class Program:
    module: str
    about: str | None
    """Stands above the methods in --help."""
    trainers: Mapping[str, Trainer]
    settings: Callable[..., Any]
    """Reads the environment."""
    read_method: Callable[[list[str]], tuple[str, list[str]]]
    """The method that the words mean, and the options that are left for it. Raises InvalidRequest."""
    less_memory: str
    """Options that take less of it."""


def run(program: Program, argv: list[str]) -> int:
    if not argv or argv in (["-h"], ["--help"]):
        print(usage(program))
        return 0
    try:
        method, options = choose(program, argv)
        args = parse(program, method, options)
        logging.disable_progress_bar()
        made = program.trainers[method].main(args, program.settings())
    except Interrupted as stop:
        again = shlex.join(["python", "-m", program.module, *(word for word in argv if word != "--resume")])
        print(f"\n{stop}; go on with: {again} --resume", file=sys.stderr)
        return stop.status
    except KeyboardInterrupt:
        print("\nstopped before the first checkpoint", file=sys.stderr)
        return 130
    except ServiceError as error:
        option = f"--{error.param.replace('_', '-')}: " if error.param else ""
        print(f"{option}{error}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not memory.is_out_of_memory(error):
            raise
        print(f"out of memory; less is taken by {program.less_memory} ({str(error).splitlines()[0]})", file=sys.stderr)
        return 2
    if is_main():
        print(made)
    return 0


def usage(program: Program) -> str:
    width = max(map(len, program.trainers)) + 2
    methods = "\n".join(f"  {name:<{width}}{trainer.about}" for name, trainer in program.trainers.items())
    return f"{program.about}\nMETHODs, each with its own --help:\n{methods}"


def choose(program: Program, argv: list[str]) -> tuple[str, list[str]]:
    """The method, and the options that are left for it. Raises InvalidRequest."""
    method, options = program.read_method(argv)
    if method not in program.trainers:
        there = ", ".join(program.trainers) + (" (--use-lora: lora)" if "lora" in program.trainers else "")
        raise InvalidRequest(f"there is no training method {method!r}; there is {there}")
    return method, options


def first_or_implied(argv: list[str], of_a_model: str) -> tuple[str, list[str]]:
    """By its name; without one, `--use-lora` means lora, `--model` means `of_a_model`, else it is scratch."""
    options = [word for word in argv if word not in ("--use-lora", "--use_lora")]
    use_lora = len(options) < len(argv)
    if options and not options[0].startswith("-"):
        if use_lora and options[0] != "lora":
            raise InvalidRequest(f"--use-lora does not go with the method {options[0]}", param="use_lora")
        return options[0], options[1:]
    if use_lora:
        return "lora", options
    named = any(word == "--model" or word.startswith("--model=") for word in options)
    return of_a_model if named else "scratch", options


def parse(program: Program, method: str, options: list[str]) -> TrainingArgs:
    """Args from the command line alone: neither the environment nor .env sets an option. Exits 2 on a bad one."""
    trainer = program.trainers[method]
    return command.parse(trainer.Args, normalise(options), f"python -m {program.module} {method}", trainer.about)


def normalise(options: list[str]) -> list[str]:
    """--batch_size is --batch-size, and `--dataset a b` is one list, whatever characters the names have."""
    words: list[str] = []
    lists: dict[str, list[str]] = {"--dataset": [], "--validation-dataset": []}
    collecting: list[str] | None = None
    for option in options:
        if option.startswith("--"):
            name, equals, value = option.partition("=")
            name = name.replace("_", "-")
            collecting = lists.get(name)
            if collecting is None:
                words.append(name + equals + value)
            elif equals:
                collecting.append(value)
        elif collecting is not None:
            collecting.append(option)
        else:
            words.append(option)
    return [*words, *(f"{name}={json.dumps(files)}" for name, files in lists.items() if files)]
