"""TRAINERS: name -> one method of training. A row here is the command line, the job and the form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ml_image.settings import ImageSettings
from ml_image.trainers import lora, scratch
from shared.training.settings import TrainingArgs


@dataclass(frozen=True)
class Trainer:
    """`main(args, settings)` trains, publishes and returns the model's name or folder; `about` is for --help."""

    Args: type[TrainingArgs]
    main: Callable[[Any, ImageSettings], str]
    about: str


TRAINERS: dict[str, Trainer] = {
    "scratch": Trainer(scratch.Args, scratch.main, "a new model and tokenizer, from random weights"),
    "lora": Trainer(lora.Args, lora.main, "a small adapter on a base model; with --quantize nf4 it is QLoRA"),
}
