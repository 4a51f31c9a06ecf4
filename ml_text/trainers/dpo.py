"""Direct preference optimisation: of two answers to a prompt, the better one becomes likelier than the worse.

Rafailov et al., https://arxiv.org/abs/2305.18290, equation 7: with the margin m = beta * (log pi(better) / ref(better)
- log pi(worse) / ref(worse)) the loss is -log sigmoid(m). What is trained is a LoRA adapter, and the reference the
same model with the adapter off; with `--full` all weights are, and the reference is a frozen copy.
Shapes: B pairs, T tokens, N learnt tokens, V vocabulary.
"""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ml_text.parity import parity
from ml_text.rows import PREFERENCES
from ml_text.settings import TextSettings
from ml_text.trainers.losses import only
from ml_text.trainers.pretrained import Start, begin, load_frozen, load_whole
from ml_text.trainers.sft import save_whole
from shared.errors import InvalidRequest
from shared.training import lora
from shared.training.folder import finish
from shared.training.loop import Run
from shared.training.packing import IGNORED
from shared.training.settings import TrainingArgs


class Args(TrainingArgs):
    model: str = Field(
        "starter", description="where to begin: starter, a published or short name, a hub repo, a folder"
    )
    beta: float = Field(0.1, gt=0, description="how much it costs to leave the reference: more stays nearer")
    full: bool = Field(False, description="train all weights instead of an adapter; needs twice the memory")
    rank: int = Field(16, gt=0, description="of the adapter's matrices")
    alpha: int = Field(32, gt=0, description="the adapter's output is scaled by alpha / rank")
    target_modules: list[str] = Field([lora.ALL], description="layers to adapt, such as q_proj,v_proj")
    quantize: Literal["nf4", "int8"] | None = Field(None, description="hold the base in 4 or 8 bits (QLoRA)")
    save_dtype: Literal["auto", "bfloat16", "float32"] = Field("auto", description="with --full; auto: as the base's")

    epochs: float = Field(1, gt=0, description="passes over the data")
    batch_size: int = Field(4, gt=0, description="pairs per forward pass")
    sequence_length: int = Field(512, ge=8, description="tokens of a prompt with an answer; longer rows are left out")
    learning_rate: float = Field(0.0, ge=0, description="at its highest; 0: by the size of the model")
    warmup_steps: int = Field(10, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on matrices")


ADAPTER = (5e6, 1e-3), (1e9, 5e-5)
FULL = (5e6, 5e-5), (7e9, 5e-7)
"""(weights, learning rate): a third of what learning the answers takes; the paper took 1e-6 for 6B, all weights."""


class PreferenceLoss(nn.Module):
    """The summed loss over the pairs of a batch. `reference` is entered while the model is to be the reference."""

    def __init__(
        self, model: nn.Module, frozen: nn.Module, off: Callable[[], AbstractContextManager[Any]], beta: float
    ):
        super().__init__()
        self.model, self.off, self.beta = model, off, beta
        self.frozen = [frozen]  # in a list it is no part of this module, so it is neither trained nor sent around

    def forward(self, input_ids: Tensor, targets: Tensor) -> Tensor:
        """(2 B, T) each, the better answers first."""
        with torch.no_grad(), self.off():
            reference = answer_logprobs(self.frozen[0], input_ids, targets)  # (2 B,)
        gain = answer_logprobs(self.model, input_ids, targets) - reference
        better, worse = gain.chunk(2)  # (B,) each
        return -F.logsigmoid(self.beta * (better - worse)).sum()


def answer_logprobs(model: Any, input_ids: Tensor, targets: Tensor) -> Tensor:
    """(R,) the log-probability of each row's answer: the sum over its learnt tokens."""
    learnt = targets != IGNORED  # (R, T)
    with only(model, learnt):
        logits = model(input_ids=input_ids, use_cache=False).logits  # (N, V)
    each = -F.cross_entropy(logits.float(), targets[learnt], reduction="none")  # (N,)
    row_of = learnt.nonzero()[:, 0]
    return torch.zeros(len(targets), device=each.device).index_add(0, row_of, each)


def without_dropout(model: Any) -> Any:
    """Model and reference must be the same function at the start, so that only what was learnt tells them apart."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0
    return model


def main(args: Args, settings: TextSettings) -> str:
    if args.full and args.quantize:
        raise InvalidRequest("weights in 4 or 8 bits cannot be trained themselves", param="quantize")
    start = begin(args, settings, PREFERENCES, FULL if args.full else ADAPTER)
    loss, save, card = (_full if args.full else _adapter)(args, start)
    run = Run(start.args, loss, start.prepared.train, start.prepared.validation, start.folder)
    state = run.start()
    serving = settings.model_copy(update={"quantize": args.quantize})
    check = parity(loss.model, start.prepared.train, serving, card, None if args.full else start.base)
    return finish(start.args, settings.data_dir, start.name, start.folder, state, save, card, check)


Made = tuple[PreferenceLoss, Callable[[Path], None], dict[str, Any]]
"""What is trained, how it is saved, and its card."""


def _adapter(args: Args, start: Start) -> Made:
    model = without_dropout(load_frozen(start, args.quantize))
    adapted: Any = lora.attach(model, start.base.name, args.rank, args.alpha, 0.0, args.target_modules)
    loss = PreferenceLoss(adapted.train(), adapted, adapted.disable_adapter, args.beta)
    return loss, partial(lora.save, adapted), {**start.card("dpo"), "base": start.base.version or start.base.name}


def _full(args: Args, start: Start) -> Made:
    model = without_dropout(load_whole(start, copies=5))
    frozen = copy.deepcopy(model).requires_grad_(False).eval()
    loss = PreferenceLoss(model.train(), frozen, nullcontext, args.beta)
    save = partial(save_whole, model, start.tokenizer, start.base.folder, args.save_dtype)
    return loss, save, {**start.card("dpo"), "begun_from": start.base.name, "parameters": model.num_parameters()}
