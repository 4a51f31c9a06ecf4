"""python -m ml_audio.train METHOD [--model NAME] --dataset FOLDER… [options]: picks from TRAINERS.

A dataset is a folder of recordings with what is said in them (LJSpeech's metadata.csv, or an audiofolder's), or a zip
of one. `--quick-start` is five minutes with small settings. On several processors or machines: `accelerate launch … -m
ml_audio.train …`. Exit status: 0 done, 2 bad arguments or data, 130 and 143 stopped by Ctrl-C and SIGTERM after a
checkpoint was written.
"""

import json
import shlex
import sys

from transformers.utils import logging

from ml_audio.settings import AudioSettings
from ml_audio.trainers import TRAINERS
from shared import command
from shared.errors import InvalidRequest, ServiceError
from shared.training import memory
from shared.training.processes import is_main
from shared.training.settings import TrainingArgs
from shared.training.signals import Interrupted


def main(argv: list[str]) -> int:
    if not argv or argv in (["-h"], ["--help"]):
        print(usage())
        return 0
    try:
        method, options = choose(argv)
        args = parse(method, options)
        logging.disable_progress_bar()
        made = TRAINERS[method].main(args, AudioSettings())  # pyright: ignore[reportCallIssue]
    except Interrupted as stop:
        again = shlex.join(["python", "-m", "ml_audio.train", *(word for word in argv if word != "--resume")])
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
        less = "a smaller --batch-size, shorter clips, --rank with --quantize nf4"
        print(f"out of memory; less is taken by {less} ({str(error).splitlines()[0]})", file=sys.stderr)
        return 2
    if is_main():
        print(made)
    return 0


def usage() -> str:
    methods = "\n".join(f"  {name:<20}{trainer.about}" for name, trainer in TRAINERS.items())
    return f"{__doc__}\nMETHODs, each with its own --help:\n{methods}"


def choose(argv: list[str]) -> tuple[str, list[str]]:
    """The method, and the options that are left for it."""
    method, options = argv[0], argv[1:]
    if method not in TRAINERS:
        raise InvalidRequest(f"there is no training method {method!r}; there is {', '.join(TRAINERS)}")
    return method, options


def parse(method: str, options: list[str]) -> TrainingArgs:
    """Args from the command line alone: neither the environment nor .env sets an option. Exits 2 on a bad one."""
    program = f"python -m ml_audio.train {method}"
    return command.parse(TRAINERS[method].Args, normalise(options), program, TRAINERS[method].about)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
