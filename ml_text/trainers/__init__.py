"""TRAINERS: name -> one method of training. A row here is the command line, the job and the form."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_text.trainers import scratch
from shared.training.settings import TrainingArgs


@dataclass(frozen=True)
class Trainer:
    """`main(args, data_dir)` trains, publishes and returns the model's name or folder; `about` is one line of --help."""

    Args: type[TrainingArgs]
    main: Callable[[Any, Path], str]
    about: str


TRAINERS: dict[str, Trainer] = {
    "scratch": Trainer(scratch.Args, scratch.main, "a new model and tokenizer, from random weights"),
}
