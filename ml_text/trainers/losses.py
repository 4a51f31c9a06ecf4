"""What is minimised: the summed cross-entropy of the tokens that are learnt, for both kinds of language model.

Shapes: B rows, T tokens, S source tokens, C width, V vocabulary, N learnt tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from shared.training.packing import IGNORED


@contextmanager
def only(model: Any, learnt: Tensor) -> Iterator[None]:
    """Within it the output layer sees only the places that are `learnt` (B, T), so that logits are (N, V).

    For a prompt nobody needs logits, and over a vocabulary of 50,000 they are the largest thing in a training step.
    """
    handle = model.get_output_embeddings().register_forward_pre_hook(lambda _layer, given: (given[0][learnt],))
    try:
        yield
    finally:
        handle.remove()


class CausalLoss(nn.Module):
    """Any decoder's cross-entropy where there is a target."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, position_ids: Tensor, targets: Tensor) -> Tensor:
        learnt = targets != IGNORED  # (B, T)
        with only(self.model, learnt):
            logits = self.model(input_ids=input_ids, position_ids=position_ids, use_cache=False).logits  # (N, V)
        return F.cross_entropy(logits.float(), targets[learnt], reduction="sum")


class SourceTargetLoss(nn.Module):
    """An encoder–decoder's: it reads the source (B, S) and foretells each token of the target (B, T) from those before.

    T5: https://arxiv.org/abs/1910.10683, BART: https://arxiv.org/abs/1910.13461.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, targets: Tensor) -> Tensor:
        model: Any = self.model
        learnt = targets != IGNORED  # (B, T)
        shifted = model.prepare_decoder_input_ids_from_labels(labels=targets)  # begins with the model's start token
        with only(model, learnt):
            logits = model(
                input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=shifted, use_cache=False
            ).logits  # (N, V)
        return F.cross_entropy(logits.float(), targets[learnt], reduction="sum")
