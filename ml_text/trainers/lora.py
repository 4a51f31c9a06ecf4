"""A LoRA adapter on a causal language model that is on disk: all its linear layers, or those that are named."""

import math
import re
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ml_text import catalog, data
from ml_text.packed import prepare, report
from ml_text.settings import TextSettings
from ml_text.sources import Source, Sources, parameter_count
from shared.errors import InvalidRequest
from shared.training import lora
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run, precision
from shared.training.packing import IGNORED
from shared.training.settings import TrainingArgs


class Args(TrainingArgs):
    model: str = Field("starter", description="the base: starter, a published or short name, a hub repo, a folder")
    rank: int = Field(16, gt=0, description="of the adapter's matrices")
    alpha: int = Field(32, gt=0, description="the adapter's output is scaled by alpha / rank")
    dropout: float = Field(0.05, ge=0, lt=1, description="on the adapter's input")
    target_modules: list[str] = Field([lora.ALL], description="layers to adapt, such as q_proj,v_proj")
    quantize: Literal["nf4", "int8"] | None = Field(None, description="hold the base in 4 or 8 bits (QLoRA)")

    epochs: float = Field(8, gt=0, description="passes over the data")
    batch_size: int = Field(4, gt=0, description="packed rows per forward pass")
    sequence_length: int = Field(512, ge=8, description="tokens per packed row, at most the model's context")
    learning_rate: float = Field(0.0, ge=0, description="at its highest; 0: by the size of the model")
    warmup_steps: int = Field(10, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on the adapter's matrices")
    # a style is learnt long after the loss on held-out wording has begun to rise (LOG.md, 2026-11-24)
    validation_fraction: float = Field(0.0, ge=0, lt=1, description="records held out to choose the best checkpoint")


SMALL, LARGE = (5e6, 3e-3), (1e9, 2e-4)
"""(weights, learning rate): measured on the starter; what QLoRA (https://arxiv.org/abs/2305.14314) takes for 7B."""


def rate_for(parameters: int) -> float:
    """The learning rate for a base of so many weights: between SMALL and LARGE by the logarithm."""
    (few, high), (many, low) = SMALL, LARGE
    share = (math.log(parameters) - math.log(few)) / (math.log(many) - math.log(few))
    return high * (low / high) ** min(1.0, max(0.0, share))


class CausalLoss(nn.Module):
    """Any causal model's cross-entropy where there is a target."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        learnt = targets != IGNORED
        logits = self.model(input_ids=input_ids, position_ids=position_ids, use_cache=False).logits  # (B, T, V)
        return F.cross_entropy(logits[learnt].float(), targets[learnt], reduction="sum")


def find_base(args: Args, settings: TextSettings) -> Source:
    source = Sources(settings).fetch(args.model)
    if source.base:
        raise InvalidRequest(f"{args.model} is itself an adapter; train on its base {source.base}", param="model")
    return source


def default_name(base: str, dataset: Path) -> str:
    """ft:starter:house_style; what cannot stand in a name becomes a hyphen."""
    return "ft:" + ":".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in (base, dataset.stem))


def main(args: Args, settings: TextSettings) -> str:
    base = find_base(args, settings)
    name = args.name or default_name(base.name, args.dataset[0])
    folder = prepare_folder(args, settings.data_dir, name)
    sha256 = data.digest(args.dataset)
    tokenizer = catalog.load_tokenizer(base.folder)
    dtype = torch.bfloat16 if precision(args) == "bf16" else torch.float32
    model = catalog.load_model(base.folder, dtype, args.quantize)
    longest = min(args.sequence_length, getattr(model.config, "max_position_embeddings", args.sequence_length))
    rate = args.learning_rate or rate_for(parameter_count(base.folder))
    args = args.model_copy(update={"sequence_length": longest, "learning_rate": rate})
    prepared = prepare(args, tokenizer, folder, sha256)
    report(prepared, args)
    torch.manual_seed(args.seed)
    adapted = lora.attach(model, base.name, args.rank, args.alpha, args.dropout, args.target_modules)
    run = Run(args, CausalLoss(adapted.train()), prepared.train, prepared.validation, folder)
    state = run.start()
    card = {"service": "text", "base": base.version or base.name, "trainer": "lora", "dataset_sha256": sha256}
    return finish(args, settings.data_dir, name, folder, state, partial(lora.save, adapted), card)
