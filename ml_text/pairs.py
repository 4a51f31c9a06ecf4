"""Reading datasets as pairs of texts that belong together: what a contrastive pass learns from."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_text import data
from shared.design import dumps, read_record
from shared.errors import ServiceError

KEYS = (("anchor", "positive"), ("query", "document"), *data.PAIRS)

Pair = tuple[str, str]
Ids = tuple[list[int], list[int]]


@dataclass(frozen=True)
class PairRows:
    """Token ids of pairs, padded batch by batch."""

    pairs: Sequence[Ids]

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """`left` and `right` (B, T) token ids with their masks of 0 and 1."""
        left, left_mask = _pad([self.pairs[place][0] for place in index])
        right, right_mask = _pad([self.pairs[place][1] for place in index])
        return {"left": left, "left_mask": left_mask, "right": right, "right_mask": right_mask}

    def loss_tokens(self, index: np.ndarray) -> int:
        return len(index)

    def tokens(self, index: np.ndarray) -> int:
        return sum(len(self.pairs[place][0]) + len(self.pairs[place][1]) for place in index)


def read(files: Iterable[Path], on_bad_row: str, skipped: data.Skipped) -> Iterator[Pair]:
    """Every row's pairs, in order: one, and for a design record two, the brief with the design's copy and its JSON.

    A bad row is InvalidRequest naming file, row and reason, or noted in `skipped`.
    """
    for file in files:
        for number, row in data.rows(file):
            try:
                yield from pairs_of(row)
            except (ServiceError, ValueError) as error:
                data.note(file, number, error, on_bad_row, skipped)


def pairs_of(row: Any) -> list[Pair]:
    """ValueError or InvalidRequest with the reason when there is no pair in `row`."""
    row = data.check_row(row)
    if "response" in row:
        brief, spec = read_record(row)
        copy = "\n".join(element["text"] for element in spec["elements"] if element["type"] == "text")
        return [(brief.prompt, copy), (brief.prompt, dumps(spec))] if copy else [(brief.prompt, dumps(spec))]
    for left, right in KEYS:
        if left in row and right in row:
            found = row[left], row[right]
            if not all(isinstance(text, str) and text.strip() for text in found):
                raise ValueError(f"{left} and {right} are texts that say something")
            return [found]
    raise ValueError(
        f"a row has {', or '.join(f'{left} and {right}' for left, right in KEYS)}, or is a design record;"
        f" this one has {', '.join(map(str, row)) or 'nothing'}"
    )


def encode(pairs: Sequence[Pair], tokenizer: Any, length: int) -> list[Ids]:
    """Token ids, cut to `length` each."""
    sides = [
        tokenizer(list(texts), truncation=True, max_length=length)["input_ids"] for texts in zip(*pairs, strict=True)
    ]
    return list(zip(*sides, strict=True))


def split(pairs: list[Ids], fraction: float, most: int, seed: int) -> tuple[PairRows, PairRows]:
    """A seeded choice of pairs to hold out."""
    wanted = min(round(len(pairs) * fraction), most)
    chosen = set(random.Random(seed).sample(range(len(pairs)), wanted))
    train = [pair for place, pair in enumerate(pairs) if place not in chosen]
    return PairRows(train), PairRows([pairs[place] for place in sorted(chosen)])


def texts(pairs: Iterable[Pair]) -> Iterator[str]:
    """The wording alone, for training a tokenizer."""
    for pair in pairs:
        yield from pair


def _pad(rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(longest) < lengths.unsqueeze(1)).long()
