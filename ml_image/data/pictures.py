"""What a model learns from, brought or drawn: pictures by number, each with one caption or several."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ml_image.data import buckets
from ml_image.data.captioned import Captioned
from shared import scenes

SCENES = "scenes"
"""As a dataset's name: pictures are drawn by shared.scenes."""
WORDINGS = 6
"""Captions per scene; a step takes one of them at random."""


class Pictures(Protocol):
    def __len__(self) -> int: ...

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) that it is trained at."""
        ...

    def pixels(self, number: int) -> np.ndarray:
        """(H, W, 3) uint8 of that size."""
        ...

    def captions(self, number: int) -> list[str]: ...


@dataclass(frozen=True)
class Brought:
    """Pictures with one caption each, at the bucket's size that is nearest to their shape."""

    rows: Sequence[Captioned]
    shapes: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, rows: Sequence[Captioned], resolution: int, multiple: int = 8) -> "Brought":
        among = buckets.sizes(resolution, multiple)
        return cls(rows, [buckets.nearest(*row.open().size, among) for row in rows])

    def __len__(self) -> int:
        return len(self.rows)

    def size(self, number: int) -> tuple[int, int]:
        return self.shapes[number]

    def pixels(self, number: int) -> np.ndarray:
        return buckets.fit(self.rows[number].open(), self.shapes[number])

    def captions(self, number: int) -> list[str]:
        return [self.rows[number].caption]


@dataclass(frozen=True)
class Drawn:
    """Scenes `first` … `first + many - 1`: a number always means the same one."""

    many: int
    resolution: int
    first: int = 0
    held_out: bool = False

    def __len__(self) -> int:
        return self.many

    def scene(self, number: int) -> scenes.Scene:
        return scenes.sample(random.Random(self.first + number), self.held_out)

    def size(self, number: int) -> tuple[int, int]:
        return self.resolution, self.resolution

    def pixels(self, number: int) -> np.ndarray:
        return np.asarray(scenes.render(self.scene(number), self.resolution, self.resolution).image)

    def captions(self, number: int) -> list[str]:
        scene, place = self.scene(number), self.first + number
        return [scenes.caption(scene, random.Random(wording * 7919 + place)) for wording in range(WORDINGS)]
