"""The ground of a landscape, from the horizon down, with its depth."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shared.scenes.canvas import FAR, NEAR, Canvas, darker, lighter
from shared.scenes.colors import Color, mix
from shared.scenes.plants import pine
from shared.scenes.sky import Light, reflection

HORIZONS = {"ocean": 0.55, "mountains": 0.72, "city": 0.8, "desert": 0.6, "forest": 0.66, "meadow": 0.6}
RISES = {"mountains": 0.16, "city": 0.3, "forest": 0.16, "meadow": 0.03}
"""How far what stands at the horizon reaches above it, as a rule."""
WATER: dict[str, Color] = {
    "day": (40, 118, 180),
    "sunset": (150, 84, 100),
    "night": (14, 26, 66),
    "dawn": (120, 140, 180),
    "storm": (60, 78, 90),
}


@dataclass(frozen=True)
class Ground:
    light: Light
    horizon: float
    sun: float | None
    """Where sun or moon stand (x)."""
    keep_clear: float | None
    """Where something will stand (x)."""

    def depth_at(self, y: float) -> float:
        """Of the ground plane at height y."""
        down = (min(y, 0.99) - self.horizon) / (1 - self.horizon)
        return NEAR + (FAR - NEAR) * (1 - max(0.0, down)) ** 1.5


def ridge(canvas: Canvas, count: int, height: float) -> list[float]:
    """`count` heights of a mountain line: midpoints displaced by less at every octave."""
    line = np.zeros(count)
    for octave in range(1, 6):
        knots = [canvas.random.uniform(-1, 1) for _ in range(2**octave + 1)]
        line += (
            np.interp(np.linspace(0, len(knots) - 1, count), range(len(knots)), knots) * height * 0.52 ** (octave - 1)
        )
    return line.tolist()


def ocean(canvas: Canvas, ground: Ground) -> None:
    rng, light, horizon = canvas.random, ground.light, ground.horizon
    water = WATER[light.time]
    canvas.gradient(mix(water, light.lower, 0.35), mix(water, (0, 10, 40), 0.45), horizon, 1)
    canvas.ground(horizon)
    below = 1 - horizon
    whole = canvas.whole
    for _ in range(34):
        y = horizon + below * rng.random() ** 1.5
        x, width = (rng.random() + canvas.time * 0.15) % 1, 0.02 + 0.1 * (y - horizon)
        whole.rectangle(x - width, y, x + width, y + 0.003 + 0.008 * (y - horizon), lighter(water, 0.3))
    path = [(rng.random(), rng.uniform(-0.02, 0.02)) for _ in range(14)]
    if ground.sun is not None and light.time != "day":
        for i, (spread, off) in enumerate(path):
            y, width = horizon + 0.01 + i * below / 15, 0.03 + 0.05 * spread
            x = ground.sun + off
            whole.rectangle(x - width, y, x + width, y + 0.011, reflection(light, water), 0.006)


def mountains(canvas: Canvas, ground: Ground) -> None:
    light, horizon = ground.light, ground.horizon
    xs = np.linspace(0, 1, 48).tolist()
    whole = canvas.whole
    for layer in range(2):
        base = horizon - 0.2 + 0.1 * layer
        tops = [base + up for up in ridge(canvas, len(xs), 0.11 - 0.02 * layer)]
        rock = light.on((92, 98, 124) if layer == 0 else (70, 84, 84))
        outline = [(0, 1), *zip(xs, tops, strict=True), (1, 1)]
        whole.polygon(outline, mix(rock, light.lower, 0.35 - 0.25 * layer), 0.78 - 0.18 * layer)
        if layer == 0:
            _snow(canvas, light, xs, tops, base)
    grass = light.on((88, 132, 74))
    whole.polygon(
        [(0, 1), (0, horizon + 0.02), (0.3, horizon + 0.06), (0.7, horizon + 0.02), (1, horizon + 0.06), (1, 1)], grass
    )
    canvas.ground(min(0.98, horizon + 0.06))


def _snow(canvas: Canvas, light: Light, xs: list[float], tops: list[float], base: float) -> None:
    white = light.on((246, 248, 255))
    for i in range(1, len(xs) - 1):
        if tops[i] < tops[i - 1] and tops[i] <= tops[i + 1] and tops[i] < base - 0.03:
            x, y = xs[i], tops[i]
            cap = [(x, y), (x - 0.03, y + 0.055), (x - 0.01, y + 0.04), (x + 0.008, y + 0.06), (x + 0.03, y + 0.05)]
            canvas.whole.polygon(cap, white)


def city(canvas: Canvas, ground: Ground) -> None:
    rng, light, whole = canvas.random, ground.light, canvas.whole
    for layer in range(2):
        x = -0.02
        while x < 1:
            width, height = rng.uniform(0.06, 0.12), rng.uniform(0.2, 0.5) * (1 - 0.3 * layer)
            wall = light.on((96, 104, 124) if layer == 0 else (66, 70, 88))
            wall = mix(wall, light.lower, 0.3 if layer == 0 else 0.05)
            whole.rectangle(x, 0.9 - height, x + width - 0.006, 1, wall, depth=0.75 - 0.2 * layer)
            if layer == 1 or light.time == "night":
                _windows(canvas, light, wall, (x, 0.9 - height, x + width))
            x += width
    whole.rectangle(0, 0.9, 1, 1, light.on((70, 72, 80)))
    canvas.ground(0.9, 0.05, 0.5)
    for i in range(6):
        whole.rectangle(i / 6 + 0.03, 0.945, i / 6 + 0.1, 0.955, light.on((220, 220, 200)))


def _windows(canvas: Canvas, light: Light, wall: Color, box: tuple[float, float, float]) -> None:
    left, top, right = box
    pane = (255, 222, 130) if light.lamps else mix(wall, (200, 230, 255), 0.5)
    y = top + 0.03
    while y < 0.87:
        x = left + 0.014
        while x < right - 0.022:
            if canvas.random.random() < 0.55:
                canvas.whole.rectangle(x, y, x + 0.014, y + 0.02, pane)
            x += 0.026
        y += 0.042


def desert(canvas: Canvas, ground: Ground) -> None:
    rng, light = canvas.random, ground.light
    canvas.ground(ground.horizon)
    xs = np.linspace(0, 1, 60).tolist()
    for layer in range(3):
        phase, waves = rng.uniform(0, 6.3), rng.uniform(3, 6)
        tops = [ground.horizon + 0.11 * layer + 0.035 * math.sin(x * waves + phase) for x in xs]
        sand = mix(light.on((236, 196, 128)), light.on((190, 130, 76)), 0.28 * layer)
        canvas.whole.polygon([(0, 1), *zip(xs, tops, strict=True), (1, 1)], sand)


def forest(canvas: Canvas, ground: Ground) -> None:
    rng, light, horizon = canvas.random, ground.light, ground.horizon
    canvas.whole.rectangle(0, horizon, 1, 1, light.on((74, 112, 62)))
    canvas.ground(horizon)
    for layer in range(3):
        count = 11 - 2 * layer
        for i in range(count):
            x = (i + 0.5) / count
            off, drop, grow = rng.uniform(-0.03, 0.03), rng.uniform(-0.015, 0.015), rng.uniform(-0.03, 0.04)
            shade = rng.random()
            if layer == 2 and ground.keep_clear is not None and abs(x - ground.keep_clear) < 0.14:
                continue
            y = horizon + 0.04 + 0.13 * layer + drop
            pine(canvas.at(x + off, y, 0.26 + 0.07 * layer + grow), light, shade, ground.depth_at(y))


def meadow(canvas: Canvas, ground: Ground) -> None:
    rng, light, horizon = canvas.random, ground.light, ground.horizon
    phase = rng.uniform(0, 6)
    xs = np.linspace(0, 1, 40).tolist()
    hills = [(x, horizon - 0.05 + 0.03 * math.sin(x * 5 + phase)) for x in xs]
    canvas.whole.polygon([*hills, (1, 1), (0, 1)], light.on((112, 168, 94)), 0.8)
    canvas.whole.polygon([(0, 1), (0, horizon), (1, horizon + 0.03), (1, 1)], light.on((96, 168, 70)))
    canvas.ground(horizon)
    canvas.whole.polygon(
        [(0, horizon + 0.2), (1, horizon + 0.1), (1, 1), (0, 1)], darker(light.on((96, 168, 70)), 0.06)
    )
    for _ in range(28):
        x, y = rng.random(), horizon + 0.08 + (1 - horizon - 0.08) * rng.random()
        radius = 0.005 + 0.01 * (y - horizon)
        petal = light.on(rng.choice([(250, 220, 80), (240, 100, 110), (250, 250, 250)]))
        canvas.at(x, y).ellipse(0, 0, radius, radius, petal)


DRAW: dict[str, Callable[[Canvas, Ground], None]] = {
    "ocean": ocean,
    "mountains": mountains,
    "city": city,
    "desert": desert,
    "forest": forest,
    "meadow": meadow,
}
