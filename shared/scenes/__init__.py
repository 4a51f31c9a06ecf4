"""Pictures that are drawn from a description: landscapes, products, patterns and backgrounds for ads.

    scene = sample(random.Random(7))
    picture = render(scene, 512, 640)        # .image (RGB), .depth (H, W)
    caption(scene, random.Random(1))         # "a red boat on the sea at dawn with a blue balloon"
    questions(scene)                         # [("what time of day is it?", "dawn"), …]

Image, video and vision models train on them, and nothing has to be downloaded. A scene is a frozen dataclass: the same
one gives the same picture, in any size, and `time` in [0, 1] moves what moves. A new kind is one file and one row here.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from shared.scenes import backdrop, landscape, pattern, product
from shared.scenes.backdrop import Backdrop
from shared.scenes.canvas import Canvas, Floats
from shared.scenes.landscape import Landscape
from shared.scenes.pattern import Pattern
from shared.scenes.product import Product

Scene = Landscape | Product | Pattern | Backdrop
LARGEST = 4096


@dataclass(frozen=True)
class Kind:
    share: float
    """Of the scenes that `sample` draws."""
    sample: Callable[[random.Random], Scene]
    draw: Callable[[Any, Canvas], None]
    caption: Callable[[Any, random.Random], str]
    questions: Callable[[Any], list[tuple[str, str]]]
    held_out: Callable[[Any], bool]


KINDS: dict[type[Scene], Kind] = {
    kind: Kind(share, file.sample, file.draw, file.caption, file.questions, file.held_out)
    for kind, share, file in (
        (Landscape, 0.5, landscape),
        (Product, 0.25, product),
        (Pattern, 0.1, pattern),
        (Backdrop, 0.15, backdrop),
    )
}


@dataclass(frozen=True)
class Picture:
    image: Image.Image
    """RGB, (width, height) as asked for."""
    depth: Floats
    """(H, W) in [0, 1]: 0 at the camera, 1 in the sky."""


def sample(rng: random.Random, held_out: bool = False) -> Scene:
    """A scene of any kind; with `held_out` one of the combinations that no training set has, else never such a one."""
    kinds = list(KINDS.values())
    while True:
        (kind,) = rng.choices(kinds, [kind.share for kind in kinds])
        scene = kind.sample(rng)
        if kind.held_out(scene) == held_out:
            return scene


def render(scene: Scene, width: int, height: int, time: float = 0.0) -> Picture:
    """Draw it; `time` in [0, 1]. ValueError for a size outside 8 to 4,096 px a side."""
    if not (8 <= width <= LARGEST and 8 <= height <= LARGEST):
        raise ValueError(f"{width}x{height} px: a side has 8 to {LARGEST} px")
    canvas = Canvas(width, height, scene.seed, time)
    KINDS[type(scene)].draw(scene, canvas)
    return Picture(*canvas.finish())


def caption(scene: Scene, rng: random.Random) -> str:
    """One of many ways to say what is there."""
    return KINDS[type(scene)].caption(scene, rng)


def questions(scene: Scene) -> list[tuple[str, str]]:
    """(question, answer): every answer is a word, and true of the picture."""
    return KINDS[type(scene)].questions(scene)


def held_out(scene: Scene) -> bool:
    """Whether it is one of the combinations that are kept out of training, to see what a model makes of them."""
    return KINDS[type(scene)].held_out(scene)
