"""A LoRA adapter on a language model that is on disk: all its linear layers, or those that are named."""

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from ml_text.parity import parity
from ml_text.settings import TextSettings
from ml_text.trainers.pretrained import QUICK, begin, load_frozen, loss_of
from shared.training import lora
from shared.training.folder import finish
from shared.training.loop import Run
from shared.training.settings import TrainingArgs


class Args(TrainingArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

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


def main(args: Args, settings: TextSettings) -> str:
    start = begin(args, settings, None, (SMALL, LARGE))
    model = load_frozen(start, args.quantize)
    options = args.rank, args.alpha, args.dropout, args.target_modules
    adapted = lora.attach(model, start.base.name, *options, task=lora.task_of(model))
    run = Run(start.args, loss_of(start, adapted), start.prepared.train, start.prepared.validation, start.folder)
    state = run.start()
    card = {**start.card("lora"), "base": start.base.version or start.base.name}
    save = partial(lora.save, adapted)
    serving = settings.model_copy(update={"quantize": args.quantize})
    check = parity(adapted, start.prepared.train, serving, card, start.base)
    return finish(start.args, settings.data_dir, start.name, start.folder, state, save, card, check)
