"""Patterns of two colors that fill the picture."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageFilter

from shared.scenes.canvas import Canvas, darker, lighter
from shared.scenes.colors import COLORS, Color

ANGLES = (0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4)
TURN = 2 * math.pi


@dataclass(frozen=True)
class Pattern:
    seed: int
    style: str
    first: str
    second: str


def sample(rng: random.Random) -> Pattern:
    style, first = rng.choice(tuple(DRAW)), rng.choice(tuple(COLORS))
    second = rng.choice([name for name in COLORS if name != first])
    return Pattern(rng.randrange(1 << 30), style, first, second)


def held_out(scene: Pattern) -> bool:
    return (scene.style, scene.first) == ("bokeh", "teal") or (scene.style, scene.second) == ("checks", "pink")


def caption(scene: Pattern, rng: random.Random) -> str:
    colors = f"{scene.first} and {scene.second}"
    return rng.choice(
        (
            f"abstract {colors} {scene.style}",
            f"{colors} {scene.style} background",
            f"a pattern of {scene.style} in {colors}",
        )
    )


def questions(scene: Pattern) -> list[tuple[str, str]]:
    return [("what is the pattern?", scene.style), ("is there a boat?", "no"), ("is there a product?", "no")]


def draw(scene: Pattern, canvas: Canvas) -> None:
    DRAW[scene.style](canvas, COLORS[scene.first], COLORS[scene.second])
    canvas.backdrop_depth(0.6)


def gradient(canvas: Canvas, first: Color, second: Color) -> None:
    angle = canvas.random.choice(ANGLES)
    y, x = canvas.grid()
    canvas.blend((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle) + 0.5, first, second)


def stripes(canvas: Canvas, first: Color, second: Color) -> None:
    angle, count = canvas.random.choice(ANGLES), canvas.random.choice((4, 6, 8))
    y, x = canvas.grid()
    across, down = canvas.width / canvas.side, canvas.height / canvas.side
    along = x * across * math.cos(angle) + y * down * math.sin(angle)
    canvas.blend(np.sin(along * count * TURN + canvas.time * TURN) > 0, first, second)


def waves(canvas: Canvas, first: Color, second: Color) -> None:
    bends, phase = canvas.random.uniform(2, 3.5), canvas.random.uniform(0, 6)
    y, x = canvas.grid()
    height = y + 0.07 * np.sin(x * bends * math.pi + phase + canvas.time * TURN)
    canvas.blend(np.floor(np.clip(height, 0, 0.999) * 5) / 4, first, second)


def checks(canvas: Canvas, first: Color, second: Color) -> None:
    count = canvas.random.choice((4, 6, 8))
    y, x = canvas.grid()
    columns = np.floor((x * canvas.width / canvas.side + canvas.time / count) * count)
    rows = np.floor(y * canvas.height / canvas.side * count)
    canvas.blend((columns + rows) % 2, first, second)


def dots(canvas: Canvas, first: Color, second: Color) -> None:
    count, radius = canvas.random.choice((4, 5, 6)), canvas.random.uniform(0.22, 0.36)
    y, x = canvas.grid()
    column = x * canvas.width / canvas.side * count
    row = y * canvas.height / canvas.side * count + canvas.time
    column = column + 0.5 * (np.floor(row) % 2)
    away = (column % 1 - 0.5) ** 2 + (row % 1 - 0.5) ** 2
    canvas.blend(away < radius**2, first, second)


def bokeh(canvas: Canvas, first: Color, second: Color) -> None:
    canvas.gradient(darker(first, 0.35), darker(first, 0.05))
    for _ in range(16):
        x, y, radius = canvas.random.random(), canvas.random.random(), canvas.random.uniform(0.04, 0.12)
        strength, pale = canvas.random.randint(60, 190), canvas.random.uniform(0, 0.35)
        mask, shape = canvas.stencil(canvas.at(x, (y - canvas.time * 0.2) % 1))
        shape.ellipse(0, 0, radius, radius, strength)
        canvas.paint(mask, lighter(second, pale))
    canvas.image = canvas.image.filter(ImageFilter.GaussianBlur(canvas.side * 0.006))


DRAW: dict[str, Callable[[Canvas, Color, Color], None]] = {
    "gradient": gradient,
    "stripes": stripes,
    "waves": waves,
    "checks": checks,
    "dots": dots,
    "bokeh": bokeh,
}
