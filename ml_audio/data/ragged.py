"""Lists of arrays of many lengths on disk: one flat file per column and where each item ends, mapped when read."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROWS = "rows.jsonl"


def write(folder: Path, columns: Mapping[str, Sequence[np.ndarray]], rows: Sequence[dict[str, Any]]) -> None:
    """`columns` name -> one array (n, …) per item; `rows` what else is known of each. Whole or not at all."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    for name, items in columns.items():
        if len(items) != len(rows):
            raise ValueError(f"{name} has {len(items)} items, not {len(rows)}")
        np.save(draft / f"{name}.npy", np.concatenate(list(items)))
        np.save(draft / f"{name}.ends.npy", np.cumsum([len(item) for item in items]))
    (draft / ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    draft.rename(folder)


@dataclass(frozen=True)
class Ragged:
    """One folder that `write` made; arrays stay on disk until they are asked for."""

    columns: dict[str, np.ndarray]
    ends: dict[str, np.ndarray]
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path) -> "Ragged":
        rows = [json.loads(line) for line in (folder / ROWS).read_text().splitlines()]
        ends = {path.name.removesuffix(".ends.npy"): np.load(path) for path in folder.glob("*.ends.npy")}
        return cls({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ends}, ends, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, name: str, place: int) -> np.ndarray:
        ends = self.ends[name]
        return self.columns[name][ends[place - 1] if place else 0 : ends[place]]

    def length(self, name: str, place: int) -> int:
        ends = self.ends[name]
        return int(ends[place] - (ends[place - 1] if place else 0))


@dataclass(frozen=True)
class Shards:
    """Several folders as one list."""

    parts: list[Ragged]
    starts: np.ndarray

    @classmethod
    def load(cls, folders: Sequence[Path]) -> "Shards":
        parts = [Ragged.load(folder) for folder in sorted(folders)]
        return cls(parts, np.cumsum([0, *(len(part) for part in parts)]))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def find(self, place: int) -> tuple[Ragged, int]:
        part = int(np.searchsorted(self.starts, place, side="right")) - 1
        return self.parts[part], place - int(self.starts[part])

    def get(self, name: str, place: int) -> np.ndarray:
        part, at = self.find(place)
        return part.get(name, at)

    def row(self, place: int) -> dict[str, Any]:
        part, at = self.find(place)
        return part.rows[at]

    def lengths(self, name: str) -> np.ndarray:
        """(S,) of every item."""
        return np.concatenate([np.diff(part.ends[name], prepend=0) for part in self.parts])
