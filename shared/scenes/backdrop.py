"""Backgrounds for ads: calm room for text, and decoration on one side of it."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageFilter

from shared.scenes.canvas import Canvas, darker, lighter
from shared.scenes.colors import COLORS, Color, article

SIDES = ("left", "right", "top", "bottom")


@dataclass(frozen=True)
class Backdrop:
    seed: int
    style: str
    color: str
    accent: str
    side: str
    """Where the decoration is; the room for text is opposite."""


def sample(rng: random.Random) -> Backdrop:
    style, color = rng.choice(tuple(DRAW)), rng.choice(tuple(COLORS))
    accent = rng.choice([name for name in COLORS if name != color])
    return Backdrop(rng.randrange(1 << 30), style, color, accent, rng.choice(SIDES))


def held_out(scene: Backdrop) -> bool:
    return (scene.style, scene.color) == ("circles", "orange") or (scene.style, scene.accent) == ("confetti", "teal")


def caption(scene: Backdrop, rng: random.Random) -> str:
    where = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}[scene.side]
    return rng.choice(
        (
            f"{scene.color} ad background with {scene.accent} {scene.style} {where}",
            f"{scene.accent} {scene.style} {where} of {article(scene.color)} background",
            f"{article(scene.color)} banner with {scene.accent} {scene.style} {where} and room for text",
        )
    )


def questions(scene: Backdrop) -> list[tuple[str, str]]:
    return [
        ("what color is the background?", scene.color),
        ("what is the decoration?", scene.style),
        ("what color is the decoration?", scene.accent),
        ("where is the decoration?", scene.side),
        ("is there a product?", "no"),
    ]


def draw(scene: Backdrop, canvas: Canvas) -> None:
    color = COLORS[scene.color]
    canvas.gradient(lighter(color, 0.12), darker(color, 0.08))
    canvas.backdrop_depth(0.8)
    DRAW[scene.style](canvas, COLORS[scene.accent], scene.side)


def spot(canvas: Canvas, side: str, deep: float) -> tuple[float, float]:
    """A random point on that side, at most `deep` of the picture inside."""
    along, inward = canvas.random.random(), canvas.random.random() ** 1.5 * deep
    return {
        "left": (inward, along),
        "right": (1 - inward, along),
        "top": (along, inward),
        "bottom": (along, 1 - inward),
    }[side]


def circles(canvas: Canvas, accent: Color, side: str) -> None:
    for i in range(5):
        x, y = spot(canvas, side, 0.25)
        radius = canvas.random.uniform(0.08, 0.22)
        shade = lighter(accent, 0.12 * i) if i % 2 else darker(accent, 0.06 * i)
        y += 0.02 * math.sin(canvas.time * 6.28 + i)
        canvas.at(x, y).ellipse(0, 0, radius, radius, shade, 0.7 - 0.02 * i)


def confetti(canvas: Canvas, accent: Color, side: str) -> None:
    for _ in range(46):
        x, y = spot(canvas, side, 0.42)
        turn, length = canvas.random.uniform(0, math.pi), canvas.random.uniform(0.012, 0.026)
        shade = lighter(accent, canvas.random.uniform(0, 0.5))
        turn += canvas.time * 3
        dx, dy = math.cos(turn) * length, math.sin(turn) * length
        corners = [(dx, dy), (-dy * 0.5, dx * 0.5), (-dx, -dy), (dy * 0.5, -dx * 0.5)]
        canvas.at(x, (y + canvas.time * 0.1) % 1).polygon(corners, shade, 0.6)


def rays(canvas: Canvas, accent: Color, side: str) -> None:
    x, y = {"left": (0.0, 0.5), "right": (1.0, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0)}[side]
    place, turn = canvas.at(x, y), canvas.random.uniform(0, 1)
    for i in range(12):
        start = (i + turn + canvas.time) * math.tau / 12
        stop = start + math.tau / 30
        place.polygon(
            [(0, 0), (math.cos(start) * 0.6, math.sin(start) * 0.6), (math.cos(stop) * 0.6, math.sin(stop) * 0.6)],
            lighter(accent, 0.15),
        )
    place.ellipse(0, 0, 0.2, 0.2, accent, 0.7)


def bands(canvas: Canvas, accent: Color, side: str) -> None:
    slope = canvas.random.uniform(0.02, 0.12)
    for i in range(3):
        edge = 0.3 - 0.09 * i + slope * 0.2 * math.sin(canvas.time * 6.28)
        near, far = edge, edge - slope
        corners = {
            "left": [(0, 0), (near, 0), (far, 1), (0, 1)],
            "right": [(1, 0), (1 - near, 0), (1 - far, 1), (1, 1)],
            "top": [(0, 0), (0, near), (1, far), (1, 0)],
            "bottom": [(0, 1), (0, 1 - near), (1, 1 - far), (1, 1)],
        }[side]
        canvas.whole.polygon(corners, lighter(accent, 0.4 - 0.2 * i), 0.7)


def leaves(canvas: Canvas, accent: Color, side: str) -> None:
    for _ in range(14):
        x, y = spot(canvas, side, 0.22)
        turn = canvas.random.uniform(0, math.tau) + 0.15 * math.sin(canvas.time * 6.28)
        length, shade = canvas.random.uniform(0.1, 0.2), canvas.random.uniform(0, 0.35)
        outline = []
        for step in range(17):
            t = step / 16 * math.tau
            along, across = math.cos(t) * length, math.sin(t) * length * 0.32 * (1 - 0.5 * math.cos(t))
            outline.append(
                (along * math.cos(turn) - across * math.sin(turn), along * math.sin(turn) + across * math.cos(turn))
            )
        place = canvas.at(x, y)
        place.polygon(outline, darker(accent, shade), 0.65)
        tip = (math.cos(turn) * length * 0.9, math.sin(turn) * length * 0.9)
        place.line([(-tip[0], -tip[1]), tip], lighter(darker(accent, shade), 0.25), 0.004)


def lights(canvas: Canvas, accent: Color, side: str) -> None:
    for _ in range(12):
        x, y = spot(canvas, side, 0.35)
        radius, strength = canvas.random.uniform(0.03, 0.1), canvas.random.randint(70, 200)
        mask, shape = canvas.stencil(canvas.at(x, (y - canvas.time * 0.1) % 1))
        shape.ellipse(0, 0, radius, radius, strength)
        canvas.paint(mask.filter(ImageFilter.GaussianBlur(canvas.side * 0.008)), lighter(accent, 0.2))


DRAW: dict[str, Callable[[Canvas, Color, str], None]] = {
    "circles": circles,
    "confetti": confetti,
    "rays": rays,
    "bands": bands,
    "leaves": leaves,
    "lights": lights,
}
