"""Skies: their colors and light by time of day, sun and moon, and what is in the air."""

import math
from dataclasses import dataclass, replace

from PIL import ImageDraw, ImageFilter

from shared.scenes.canvas import Canvas, lighter, tinted
from shared.scenes.colors import COLORS, Color, mix

WARM_WINDOWS = ("sunset", "night", "storm")
"""When lights are on."""


@dataclass(frozen=True)
class Light:
    time: str
    upper: Color
    lower: Color
    strength: float
    tint: Color
    cloud: Color

    def on(self, color: Color, boost: float = 1.0) -> Color:
        """How `color` looks in this light; `boost` above 1 for what has to stay readable in the dark."""
        return tinted(color, self.strength * 0.75 + 0.25 * boost, self.tint)

    @property
    def lamps(self) -> bool:
        return self.time in WARM_WINDOWS


LIGHTS = {
    "day": Light("day", (92, 160, 232), (198, 227, 248), 1.0, (255, 255, 255), (255, 255, 255)),
    "sunset": Light("sunset", (82, 60, 128), (252, 150, 74), 0.62, (255, 198, 152), (250, 182, 152)),
    "night": Light("night", (10, 14, 44), (44, 58, 110), 0.34, (150, 170, 235), (70, 80, 118)),
    "dawn": Light("dawn", (126, 150, 206), (252, 206, 190), 0.8, (255, 230, 215), (255, 240, 240)),
    "storm": Light("storm", (58, 64, 76), (128, 136, 146), 0.6, (205, 212, 222), (74, 80, 92)),
}
SUNS: dict[str, Color] = {"day": (255, 240, 160), "sunset": (255, 214, 120), "dawn": (255, 232, 190)}
HEIGHTS = {"day": 0.2, "night": 0.22, "storm": 0.2}
"""Of the body below the picture's upper edge; at sunset and dawn it stands near the skyline."""
BODY_PLACES = {"left": 0.24, "center": 0.5, "right": 0.76}


def draw(canvas: Canvas, time: str, horizon: float, skyline: float, body: str | None, place: str) -> float | None:
    """Sky, stars, sun or moon. Returns where the body stands (x), if there is one.

    The sun that rises or sets stands a little above the `skyline`, so that it can be seen.
    """
    light, rng = LIGHTS[time], canvas.random
    jitter = [rng.randint(-10, 10) for _ in range(6)]
    upper = _shift(light.upper, jitter[:3])
    lower = _shift(light.lower, jitter[3:])
    canvas.gradient(upper, lower, 0, horizon)
    stars = [(rng.random(), rng.random() * horizon, rng.uniform(0.003, 0.006)) for _ in range(30)]
    if time == "night":
        for x, y, radius in stars:
            canvas.at(x, y).ellipse(0, 0, radius, radius, (226, 229, 250))
    x = BODY_PLACES[place] + rng.uniform(-0.06, 0.06)
    y = HEIGHTS.get(time, skyline - 0.1) + rng.uniform(-0.04, 0.04)
    y += canvas.time * (0.16 if time == "sunset" else -0.08)
    if body is None:
        return None
    _sun(canvas, x, y, SUNS[time]) if body == "sun" else _moon(canvas, x, y)
    return x


def _shift(color: Color, by: list[int]) -> Color:
    red, green, blue = (max(0, min(255, value + step)) for value, step in zip(color, by, strict=True))
    return red, green, blue


def _sun(canvas: Canvas, x: float, y: float, color: Color) -> None:
    canvas.glow(x, y, 0.26, color, 0.75)
    canvas.at(x, y).ellipse(0, 0, 0.075, 0.075, lighter(color, 0.35))


def _moon(canvas: Canvas, x: float, y: float) -> None:
    canvas.glow(x, y, 0.2, (170, 186, 230), 0.4)
    place = canvas.at(x, y)
    place.ellipse(0, 0, 0.07, 0.07, (236, 236, 214))
    for dx, dy, radius in ((0.02, -0.015, 0.014), (-0.025, 0.02, 0.018), (0.012, 0.035, 0.009)):
        place.ellipse(dx, dy, radius, radius, (208, 208, 190))


def clouds(canvas: Canvas, time: str) -> None:
    rng = canvas.random
    mask, _ = canvas.stencil(canvas.whole)
    draw_on_mask = ImageDraw.Draw(mask)
    for _ in range(rng.randint(2, 3)):
        x, y = rng.random(), rng.uniform(0.1, 0.34)
        x = (x + canvas.time * 0.25 + 0.15) % 1.3 - 0.15
        puffs = [(rng.uniform(-0.12, 0.12), rng.uniform(-0.02, 0.02), rng.uniform(0.03, 0.065)) for _ in range(6)]
        place = replace(canvas.at(x, y), picture=draw_on_mask, depth=None)
        for dx, dy, radius in puffs:
            place.ellipse(dx, dy, radius * 1.3, radius, 225)
    canvas.paint(mask.filter(ImageFilter.GaussianBlur(canvas.side * 0.01)), LIGHTS[time].cloud)


def balloon(canvas: Canvas, light: Light, color: str, sun: float | None) -> None:
    rng = canvas.random
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.2, 0.3)
    if sun is not None and abs(x - sun) < 0.17:  # not in front of the sun
        x = sun + 0.22 if sun < 0.5 else sun - 0.22
    place = canvas.at(x + canvas.time * 0.08, y - canvas.time * 0.06)
    paint, depth = light.on(COLORS[color], 1.6), 0.55
    place.polygon([(-0.068, 0.058), (0.068, 0.058), (0.022, 0.122), (-0.022, 0.122)], paint, depth)
    place.ellipse(0, 0, 0.085, 0.1, paint, depth)
    place.ellipse(0, 0, 0.035, 0.1, lighter(paint, 0.35), depth)
    for dx in (-0.016, 0.016):
        place.line([(dx, 0.12), (dx, 0.135)], light.on((90, 70, 50)), 0.003)
    place.rectangle(-0.02, 0.133, 0.02, 0.163, light.on((112, 78, 52)), 0.1, depth)


def birds(canvas: Canvas, time: str) -> None:
    rng = canvas.random
    x, y = rng.uniform(0.2, 0.6) + canvas.time * 0.2, rng.uniform(0.14, 0.3)
    flap = 0.018 * math.cos(canvas.time * 25)
    color = (162, 168, 192) if time == "night" else (24, 24, 30)
    for i in range(4):
        place = canvas.at(x + rng.uniform(-0.02, 0.02) + i * 0.08, y + rng.uniform(-0.05, 0.05))
        place.line([(-0.03, -0.008 - flap), (0, 0.01), (0.03, -0.008 - flap)], color, 0.009)


def reflection(light: Light, water: Color) -> Color:
    """The color of the sun's or moon's path on the water."""
    return mix(water, (212, 218, 240) if light.time == "night" else (255, 216, 150), 0.62)
