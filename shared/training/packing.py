"""Samples of many lengths in rows of one length, without one sample seeing another.

A row is (L,) token ids; `positions` restart at 0 with each sample, from which the model builds its block-diagonal mask
(only when it makes no cache: `use_cache=False`, and no attention mask is passed), and `targets` hold the next token, or
IGNORED where there is no loss: prompts, padding and the first token of each sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from shared.training.samples import Sample, sizes

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
        """How many go through the model, padding left out, for the progress line."""
        ...


@dataclass(frozen=True)
class Rows:
    """Packed rows as arrays, which may be memory maps: (R, L) each, and (R,) how much of each row is filled."""

    ids: np.ndarray
    targets: np.ndarray
    positions: np.ndarray
    filled: np.ndarray

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
        return int(self.filled[index].sum())

    @classmethod
    def load(cls, folder: Path) -> "Rows":
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES))


NAMES = ("ids", "targets", "positions", "filled")


def pack(samples: Sequence[Sample], length: int, pad: int = 0, folder: Path | None = None) -> Rows:
    """Longest first, each into the fullest row where it still fits; every sample must be at most `length` long.

    With `folder` the rows are written there and mapped, so that they need not fit into memory.
    """
    rows = _plan(sizes(samples), length)
    empty = _Empty(folder)
    ids, targets = empty("ids", (len(rows), length), pad), empty("targets", (len(rows), length), IGNORED)
    positions, filled = empty("positions", (len(rows), length), 0), empty("filled", (len(rows),), 0)
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
        filled[row] = start
    return Rows(ids, targets, positions, filled)


def _plan(lengths: np.ndarray, length: int) -> list[list[int]]:
    """Which samples share a row."""
    room: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the room that is left in them
    some = 0  # bit n: there is a row with room for n
    rows: list[list[int]] = []
    for number in np.argsort(-lengths, kind="stable").tolist():
        size = int(lengths[number])
        fits = some >> size
        if fits:
            left = size + (fits & -fits).bit_length() - 1
            row = room[left].pop()
            if not room[left]:
                some &= ~(1 << left)
        else:
            row, left = len(rows), length
            rows.append([])
        rows[row].append(number)
        room[left - size].append(row)
        some |= 1 << (left - size)
    return rows


class _Empty:
    """Arrays of int32, in memory or mapped from files of a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, shape: tuple[int, ...], fill: int) -> np.ndarray:
        if self.folder is None:
            return np.full(shape, fill, dtype=np.int32)
        made = np.lib.format.open_memmap(self.folder / f"{name}.npy", mode="w+", dtype=np.int32, shape=shape)
        made[...] = fill
        return made
