"""Token samples on disk: a data set of any size is two flat files and the places where its samples end."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np


@dataclass(frozen=True)
class Sample:
    ids: np.ndarray  # (n,) int
    loss: np.ndarray  # (n,) bool: this token is learnt


@dataclass(frozen=True)
class Samples(Sequence[Sample]):
    """S samples of N tokens together, mapped into memory and not read into it."""

    ids: np.ndarray  # (N,) int32
    loss: np.ndarray  # (N,) bool
    ends: np.ndarray  # (S,) int64

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = slice(int(self.ends[index - 1]) if index else 0, int(self.ends[index]))
        return Sample(self.ids[part], self.loss[part])

    @classmethod
    def load(cls, folder: Path) -> "Samples":
        return cls(
            _map(folder / "ids.bin", np.int32), _map(folder / "loss.bin", np.bool_), np.load(folder / "ends.npy")
        )


@dataclass(frozen=True)
class Chosen(Sequence[Sample]):
    """Some of the samples, in the order of `places`."""

    samples: Sequence[Sample]
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Chosen(self.samples, self.places[index])
        return self.samples[int(self.places[index])]


def write(rows: Iterable[tuple[Sample, ...]], folder: Path, parts: int) -> tuple[Samples, ...]:
    """Write the first, second … sample of each row to `folder`/0, `folder`/1 …, one row in memory at a time."""
    homes = [folder / str(part) for part in range(parts)]
    ends = [array("q") for _ in homes]
    for home in homes:
        home.mkdir(parents=True, exist_ok=True)
    files = [((home / "ids.bin").open("wb"), (home / "loss.bin").open("wb")) for home in homes]
    try:
        for row in rows:
            for (ids, loss), end, sample in zip(files, ends, row, strict=True):
                ids.write(sample.ids.astype(np.int32).tobytes())
                loss.write(sample.loss.astype(np.bool_).tobytes())
                end.append((end[-1] if end else 0) + len(sample.ids))
    finally:
        for file in (one for pair in files for one in pair):
            file.close()
    for home, end in zip(homes, ends, strict=True):
        np.save(home / "ends.npy", np.frombuffer(end, dtype=np.int64) if end else np.zeros(0, dtype=np.int64))
    return load(folder, parts)


def load(folder: Path, parts: int) -> tuple[Samples, ...]:
    return tuple(Samples.load(folder / str(part)) for part in range(parts))


def sizes(samples: Sequence[Sample]) -> np.ndarray:
    """(S,) tokens in each."""
    if isinstance(samples, Samples):
        return np.diff(samples.ends, prepend=0)
    if isinstance(samples, Chosen):
        return sizes(samples.samples)[samples.places]
    return np.array([len(sample.ids) for sample in samples], dtype=np.int64)


def chunks(many: int, size: int = 4096) -> Iterator[np.ndarray]:
    """0 … many - 1 in pieces, for sums over a data set that is larger than memory."""
    for start in range(0, many, size):
        yield np.arange(start, min(start + size, many))


def _map(path: Path, kind: Any) -> np.ndarray:
    return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.zeros(0, dtype=kind)
