"""Samples that have a row each, padded on the right to the longest of the batch.

Under a causal mask a token sees only what stands before it, so padding on the right needs no mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shared.training.packing import IGNORED
from shared.training.samples import Sample, sizes


def pad(rows: Sequence[np.ndarray], fill: int) -> torch.Tensor:
    """(B, T) int64, T the longest."""
    made = np.full((len(rows), max(map(len, rows), default=0)), fill, dtype=np.int64)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return torch.from_numpy(made)


def next_tokens(sample: Sample) -> np.ndarray:
    """(n,) what each place is to foretell: the token behind it where that is learnt, else IGNORED."""
    targets = np.full(len(sample.ids), IGNORED, dtype=np.int64)
    targets[:-1] = np.where(sample.loss[1:], sample.ids[1:], IGNORED)
    return targets


@dataclass(frozen=True)
class PaddedRows:
    """One sample a row, for comparison with packed ones and for models that cannot tell samples apart."""

    samples: Sequence[Sample]
    fill: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """(B, T) int64 tensors of the rows `index`."""
        chosen = [self.samples[int(place)] for place in index]
        ids = pad([sample.ids for sample in chosen], self.fill)
        targets = pad([next_tokens(sample) for sample in chosen], IGNORED)
        return {"input_ids": ids, "targets": targets, "position_ids": torch.arange(ids.shape[1]).expand(ids.shape)}

    def loss_tokens(self, index: np.ndarray) -> int:
        return sum(int(self.samples[int(place)].loss[1:].sum()) for place in index)

    def tokens(self, index: np.ndarray) -> int:
        return int(sizes(self.samples)[index].sum())
