"""How training goes on from a model that is on disk: the base is found, the data prepared for it, the result named."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn

from ml_text import catalog, data
from ml_text.rows import PACKED, SOURCE_TARGET, Layout, Prepared, prepare, report
from ml_text.settings import TextSettings
from ml_text.sources import Source, Sources, parameter_count
from ml_text.trainers.attention import attend_by_sample
from ml_text.trainers.losses import CausalLoss, SourceTargetLoss
from shared.errors import InvalidRequest, OutOfMemory
from shared.training import memory
from shared.training.folder import prepare_folder
from shared.training.loop import precision
from shared.training.processes import is_main, main_first
from shared.training.settings import TrainingArgs

EXAMPLE = Path(__file__).parents[2] / "examples" / "house_style.jsonl"
QUICK = {**TrainingArgs.QUICK, "dataset": [EXAMPLE]}
"""`--quick-start` without `--dataset` learns the example house's style."""


@dataclass(frozen=True)
class Start:
    """What is there before the first step."""

    base: Source
    name: str
    folder: Path
    sha256: str
    tokenizer: Any
    prepared: Prepared
    args: Any
    """As given, with what follows from the base filled in."""
    parameters: int
    seq2seq: bool

    def card(self, trainer: str) -> dict[str, Any]:
        return {"service": "text", "trainer": trainer, "dataset_sha256": self.sha256}


def begin(args: Any, settings: TextSettings, layout: Layout | None, rates: "tuple[Rate, Rate]") -> Start:
    """`layout` None: what the base's kind takes. `rates` are used when `args.learning_rate` is 0."""
    base = find_base(args.model, settings)
    name = args.name or default_name(base.name, args.dataset[0])
    config = catalog.load_config(base.folder)
    seq2seq = bool(config.is_encoder_decoder)
    if seq2seq and layout is not None:
        raise InvalidRequest(f"{base.name} is an encoder–decoder; train it with sft or lora", param="model")
    parameters = parameter_count(base.folder)
    longest = min(args.sequence_length, getattr(config, "max_position_embeddings", None) or args.sequence_length)
    rate = args.learning_rate or rate_for(parameters, rates)
    args = args.model_copy(update={"sequence_length": longest, "learning_rate": rate})
    with main_first():
        folder = prepare_folder(args, settings.data_dir, name)
        sha256 = data.digest(args.dataset)
        tokenizer = catalog.load_tokenizer(base.folder)
        prepared = prepare(args, tokenizer, folder, sha256, layout or (SOURCE_TARGET if seq2seq else PACKED))
        if is_main():
            report(prepared, args)
    return Start(base, name, folder, sha256, tokenizer, prepared, args, parameters, seq2seq)


def find_base(model: str, settings: TextSettings) -> Source:
    source = Sources(settings).fetch(model)
    if source.base:
        raise InvalidRequest(f"{model} is itself an adapter; train on its base {source.base}", param="model")
    return source


def default_name(base: str, dataset: Path) -> str:
    """ft:starter:house_style; what cannot stand in a name becomes a hyphen."""
    return "ft:" + ":".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in (base, dataset.stem))


Rate = tuple[float, float]
"""(weights, learning rate)"""


def rate_for(parameters: int, rates: tuple[Rate, Rate]) -> float:
    """The learning rate for a base of so many weights: between the two by the logarithm."""
    (few, high), (many, low) = rates
    share = (math.log(parameters) - math.log(few)) / (math.log(many) - math.log(few))
    return high * (low / high) ** min(1.0, max(0.0, share))


def load_frozen(start: Start, quantize: str | None) -> Any:
    """The base as adapters stand on it: in the precision that is computed in, or in 4 or 8 bits."""
    dtype = torch.bfloat16 if precision(start.args) == "bf16" else torch.float32
    return _load(start, dtype, quantize)


def load_whole(start: Start, copies: int = 4) -> Any:
    """The base in fp32, all its weights to be trained. `copies`: weights, gradients and AdamW's two moments.

    OutOfMemory when they do not fit.
    """
    needed = 4 * copies * start.parameters
    try:
        memory.require(needed, _device(), f"training all weights of {start.base.name}")
    except OutOfMemory as error:
        raise OutOfMemory(
            f"{error}; an adapter takes less: --use-lora, with --quantize nf4 least", param="model"
        ) from error
    return _load(start, torch.float32, None).requires_grad_(True)


def _load(start: Start, dtype: torch.dtype, quantize: str | None) -> Any:
    model: Any = catalog.load_model(start.base.folder, dtype, quantize, str(_device()))
    if start.args.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    torch.manual_seed(start.args.seed)
    return model


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def loss_of(start: Start, model: nn.Module) -> nn.Module:
    if start.seq2seq:
        return SourceTargetLoss(model.train())
    attend_by_sample(model.get_base_model() if isinstance(model, PeftModel) else model)
    return CausalLoss(model.train())
