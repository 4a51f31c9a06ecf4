"""A moving average of the weights, which is what a diffusion model is used with: it is steadier than any of them.

Its horizon grows with the run, a tenth of the steps so far, up to what `decay` allows
(https://arxiv.org/abs/2312.02696, section 3, for why it should).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn


class Average:
    def __init__(self, weights: Sequence[nn.Parameter], decay: float) -> None:
        self.weights, self.decay = list(weights), decay
        self.kept = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """`step` counts from 1, and includes the one just taken."""
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            self.kept, [weight.detach() for weight in self.weights], 1 - min(self.decay, step / (10 + step))
        )

    @torch.no_grad()
    def load(self, kept: Sequence[torch.Tensor]) -> None:
        for own, value in zip(self.kept, kept, strict=True):
            own.copy_(value)

    @torch.no_grad()
    def swap(self) -> None:
        """The average goes into the model, and what was there is kept in its place."""
        for weight, own in zip(self.weights, self.kept, strict=True):
            now = weight.detach().clone()
            weight.copy_(own)
            own.copy_(now)

    @contextmanager
    def applied(self) -> Iterator[None]:
        self.swap()
        try:
            yield
        finally:
            self.swap()
