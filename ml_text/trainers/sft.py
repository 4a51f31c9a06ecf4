"""Supervised fine-tuning: all weights of a language model that is on disk, on what its answers should have been."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from ml_text import catalog
from ml_text.parity import parity
from ml_text.settings import TextSettings
from ml_text.trainers.pretrained import QUICK, begin, load_whole, loss_of
from shared.training.folder import finish
from shared.training.loop import Run
from shared.training.settings import TrainingArgs


class Args(TrainingArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    model: str = Field(
        "starter", description="where to begin: starter, a published or short name, a hub repo, a folder"
    )
    save_dtype: Literal["auto", "bfloat16", "float32"] = Field("auto", description="of the result; auto: as the base's")

    epochs: float = Field(3, gt=0, description="passes over the data")
    batch_size: int = Field(4, gt=0, description="packed rows per forward pass")
    sequence_length: int = Field(512, ge=8, description="tokens per packed row, at most the model's context")
    learning_rate: float = Field(0.0, ge=0, description="at its highest; 0: by the size of the model")
    warmup_steps: int = Field(10, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on norms and biases")


SMALL, LARGE = (5e6, 3e-4), (7e9, 1e-5)
"""(weights, learning rate): a tenth of what adapters take; Llama 2 (https://arxiv.org/abs/2307.09288) took 2e-5."""


def main(args: Args, settings: TextSettings) -> str:
    start = begin(args, settings, None, (SMALL, LARGE))
    model = load_whole(start)
    run = Run(start.args, loss_of(start, model), start.prepared.train, start.prepared.validation, start.folder)
    state = run.start()
    card = {**start.card("sft"), "begun_from": start.base.name, "parameters": model.num_parameters()}

    def save(target: Path) -> None:
        save_whole(model, start.tokenizer, start.base.folder, args.save_dtype, target)

    check = parity(model, start.prepared.train, settings, card)
    return finish(start.args, settings.data_dir, start.name, start.folder, state, save, card, check)


def save_whole(model: Any, tokenizer: Any, base: Path, dtype: str, target: Path) -> None:
    """Weights and tokenizer, as transformers opens them; `dtype` "auto" is what the base is stored in."""
    stored = catalog.load_config(base).dtype if dtype == "auto" else getattr(torch, dtype)
    model.to(stored or torch.float32).save_pretrained(target)
    tokenizer.save_pretrained(target)
