"""One row's next token: penalties, bias, mask, temperature, top-k, top-p, then one uniform number against the CDF.

The draw inverts the cumulative distribution instead of racing exponentials (torch.multinomial), so that logits that
differ by batching noise still give the same token unless the uniform falls within about 1e-6 of a boundary.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import InvalidRequest, ServiceError

BLOCK = 256
"""Tokens per block of the two-level CDF: one long cumulative sum costs four times as much at 150k tokens."""

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """How to draw one request's tokens. Raises InvalidRequest, naming the field, when a value is out of range."""

    temperature: float = 1.0
    """0 is greedy: the most likely token, whatever the other settings."""
    top_k: int = 0
    """0 is off."""
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    """As in transformers: over prompt and output, 1 is off."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict[int, float])
    seed: int | None = None

    def __post_init__(self) -> None:
        _check("temperature", self.temperature, 0, 100)
        _check("top_k", self.top_k, 0, math.inf)
        _check("top_p", self.top_p, 0, 1)
        _check("repetition_penalty", self.repetition_penalty, 0.01, 100)
        _check("presence_penalty", self.presence_penalty, -2, 2)
        _check("frequency_penalty", self.frequency_penalty, -2, 2)
        for bias in self.logit_bias.values():
            _check("logit_bias", bias, -100, 100)

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


class Sampler:
    """One request's draws. `pick` is to be called once per token, with the output so far growing at its end."""

    def __init__(self, sampling: Sampling, vocab_size: int) -> None:
        self.sampling = sampling
        self.vocab_size = vocab_size
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed % 2**63)
        self._bias_ids = np.fromiter(sampling.logit_bias, dtype=np.int64)
        self._bias = np.fromiter(sampling.logit_bias.values(), dtype=np.float32)
        if np.any((self._bias_ids < 0) | (self._bias_ids >= vocab_size)):
            raise InvalidRequest(f"logit_bias has a token that is not in 0…{vocab_size - 1}", param="logit_bias")
        self._seen: set[int] = set()
        self._counts: Counter[int] = Counter()
        self._uniforms: list[float] = []
        self._counted = -1  # output tokens in `_counts`; -1: the prompt is still to be read

    def pick(
        self, logits: Tensor, prompt_ids: Sequence[int], output_ids: Sequence[int], mask: Tensor | None = None
    ) -> int:
        """The next token of a row: `logits` (V,) is left as it is, `mask` (V,) bool is what may be chosen.

        Raises ServiceError (code `broken_model`) when the logits hold NaN or +inf, or when nothing may be chosen.
        """
        scores: Floats = logits.detach().float().numpy()
        if scores.shape != (self.vocab_size,):
            raise ValueError(f"logits are {scores.shape}, the sampler is made for ({self.vocab_size},)")
        if self.adjusts:
            scores = self.adjusted(scores.copy(), prompt_ids, output_ids)
        ids: Ids | None = None  # the tokens that are left, ascending; None is all
        if mask is not None:
            ids = np.flatnonzero(mask.numpy())
            if not len(ids):
                raise ServiceError("the grammar allows no token at all", code="broken_grammar")
            scores = scores[ids]
        best = int(scores.argmax())  # numpy: NaN counts as the largest, so it shows up here
        if not math.isfinite(scores[best]):
            raise ServiceError("the model's output is not a number: its weights are broken", code="broken_model")
        if self.sampling.greedy:
            return best if ids is None else int(ids[best])
        return self._draw(scores, scores[best], ids)

    @property
    def adjusts(self) -> bool:
        """Whether there are penalties or a bias."""
        s = self.sampling
        return bool(s.logit_bias) or s.repetition_penalty != 1 or bool(s.presence_penalty or s.frequency_penalty)

    def adjusted(self, scores: Floats, prompt_ids: Sequence[int], output_ids: Sequence[int]) -> Floats:
        """`scores` with penalties and bias, changed in place."""
        s = self.sampling
        if self._counted < 0:
            self._seen.update(int(i) for i in prompt_ids)
            self._counted = 0
        new = [int(i) for i in output_ids[self._counted :]]
        self._seen.update(new)
        self._counts.update(new)
        self._counted += len(new)
        if s.repetition_penalty != 1 and self._seen:
            seen = np.fromiter(self._seen, dtype=np.int64)
            old = scores[seen]
            scores[seen] = np.where(old < 0, old * s.repetition_penalty, old / s.repetition_penalty)
        if (s.presence_penalty or s.frequency_penalty) and self._counts:
            ids = np.fromiter(self._counts, dtype=np.int64)
            counts = np.fromiter(self._counts.values(), dtype=np.float32)
            scores[ids] -= s.presence_penalty + s.frequency_penalty * counts
        scores[self._bias_ids] += self._bias
        return scores

    def _draw(self, scores: Floats, top: np.float32, ids: Ids | None) -> int:
        """A token by its share; top-k and top-p keep ties with the last one kept, as transformers' top-k does."""
        s = self.sampling
        if 0 < s.top_k < len(scores):
            kept = np.flatnonzero(scores >= np.partition(scores, -s.top_k)[-s.top_k])
            scores, ids = scores[kept], kept if ids is None else ids[kept]
        weights = scores - top
        if s.temperature != 1:
            weights *= np.float32(1 / s.temperature)
        np.exp(weights, out=weights)
        if s.top_p < 1:
            kept = np.flatnonzero(weights >= _nucleus_edge(weights, s.top_p))
            weights, ids = weights[kept], kept if ids is None else ids[kept]
        place = _invert(weights, self._uniform())
        return place if ids is None else int(ids[place])

    def _uniform(self) -> float:
        if not self._uniforms:  # drawn ahead: one at a time costs 8 µs
            self._uniforms = torch.rand(64, dtype=torch.float64, generator=self._generator).tolist()[::-1]
        return self._uniforms.pop()


def _nucleus_edge(weights: Floats, top_p: float) -> np.float32:
    """The smallest weight in the smallest set of tokens whose share reaches `top_p`; ties with it stay."""
    goal = top_p * float(weights.sum(dtype=np.float64))
    size = min(1024, len(weights))  # the nucleus is mostly small, and sorting 150k tokens takes a millisecond
    while True:
        largest = np.sort(np.partition(weights, -size)[-size:])[::-1]
        shares = np.cumsum(largest, dtype=np.float64)
        if shares[-1] >= goal or size == len(weights):
            return largest[min(int(np.searchsorted(shares, goal)), size - 1)]
        size = min(8 * size, len(weights))


def _invert(weights: Floats, uniform: float) -> int:
    """Where the cumulative weight passes `uniform` of the total: by block, then inside the block."""
    blocks = np.cumsum(np.add.reduceat(weights, _block_starts(len(weights))), dtype=np.float64)
    goal = uniform * blocks[-1]
    block = min(int(blocks.searchsorted(goal, side="right")), len(blocks) - 1)
    inside = np.cumsum(weights[block * BLOCK : (block + 1) * BLOCK], dtype=np.float64)
    if block:
        goal -= blocks[block - 1]
    place = block * BLOCK + min(int(inside.searchsorted(goal, side="right")), len(inside) - 1)
    # rounding can leave `goal` past the block's own sum: step back to a token that has weight
    while weights[place] == 0:
        place -= 1
    return place


@lru_cache(maxsize=256)
def _block_starts(size: int) -> NDArray[np.int64]:
    return np.arange(0, size, BLOCK)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidRequest(f"{name} must be between {low:g} and {high:g}, not {value:g}", param=name)
