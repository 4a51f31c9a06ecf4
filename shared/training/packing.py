"""Samples of many lengths in rows of one length, without one sample seeing another.

A row is (L,) token ids; `positions` restart at 0 with each sample, from which the model builds its block-diagonal mask
(only when it makes no cache: `use_cache=False`, and no attention mask is passed), and `targets` hold the next token, or
IGNORED where there is no loss: prompts, padding and the first token of each sample.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

IGNORED = -100


class TrainingRows(Protocol):
    """What the loop learns from: rows by number, and how much there is to learn in them."""

    def __len__(self) -> int: ...

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """The model's arguments for the rows `index`."""
        ...

    def loss_tokens(self, index: np.ndarray) -> int:
        """What the summed loss over the rows `index` is divided by."""
        ...

    def tokens(self, index: np.ndarray) -> int:
        """How many go through the model, for the progress line."""
        ...


@dataclass(frozen=True)
class Sample:
    ids: np.ndarray  # (n,) int
    loss: np.ndarray  # (n,) bool: this token is learnt


@dataclass(frozen=True)
class Rows:
    """Packed rows as arrays, which may be memory maps: (R, L) each."""

    ids: np.ndarray
    targets: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """(B, L) int64 tensors of the rows `index`."""
        return {
            "input_ids": torch.from_numpy(self.ids[index].astype(np.int64)),
            "targets": torch.from_numpy(self.targets[index].astype(np.int64)),
            "position_ids": torch.from_numpy(self.positions[index].astype(np.int64)),
        }

    def loss_tokens(self, index: np.ndarray) -> int:
        return int((self.targets[index] != IGNORED).sum())

    def tokens(self, index: np.ndarray) -> int:
        return len(index) * self.ids.shape[1]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("ids", "targets", "positions"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> "Rows":
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "targets", "positions")))


def pack(samples: list[Sample], length: int, pad: int = 0) -> Rows:
    """Longest first, each into the fullest row where it still fits; every sample must be at most `length` long."""
    room: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the room that is left in them
    rows: list[list[int]] = []
    for number in sorted(range(len(samples)), key=lambda n: -len(samples[n].ids)):
        size = len(samples[number].ids)
        left = next((space for space in range(size, length + 1) if room[space]), None)
        if left is None:
            row, left = len(rows), length
            rows.append([])
        else:
            row = room[left].pop()
        rows[row].append(number)
        room[left - size].append(row)
    ids = np.full((len(rows), length), pad, dtype=np.int32)
    targets = np.full((len(rows), length), IGNORED, dtype=np.int32)
    positions = np.zeros((len(rows), length), dtype=np.int32)
    for row, members in enumerate(rows):
        start = 0
        for number in members:
            sample = samples[number]
            end = start + len(sample.ids)
            ids[row, start:end] = sample.ids
            positions[row, start:end] = np.arange(end - start)
            targets[row, start : end - 1] = np.where(sample.loss[1:], sample.ids[1:], IGNORED)
            start = end
        positions[row, start:] = np.arange(length - start)  # the padding is a sample of its own
    return Rows(ids, targets, positions)
