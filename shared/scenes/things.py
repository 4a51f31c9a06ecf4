"""What stands in a landscape."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from shared.scenes.canvas import Canvas, darker, lighter
from shared.scenes.colors import COLORS
from shared.scenes.plants import leafy, palm
from shared.scenes.sky import Light
from shared.scenes.terrain import Ground

PLACES = {"left": 0.24, "center": 0.5, "right": 0.76}
WINDOW_LIT = (255, 226, 140)


@dataclass(frozen=True)
class Site:
    light: Light
    horizon: float
    place: str
    color: str | None

    def x(self, canvas: Canvas) -> float:
        return PLACES[self.place] + canvas.random.uniform(-0.05, 0.05)

    def depth_at(self, y: float) -> float:
        return Ground(self.light, self.horizon, None, None).depth_at(y)


def boat(canvas: Canvas, site: Site) -> None:
    x = site.x(canvas) + canvas.time * 0.2 - 0.1 * (canvas.time > 0)
    y = site.horizon + 0.17 + canvas.random.uniform(-0.03, 0.03) + 0.008 * math.sin(canvas.time * 12)
    depth = site.depth_at(y)
    hull = site.light.on(COLORS[site.color or "red"], 1.5)
    place = canvas.at(x, y)
    place.rectangle(-0.006, -0.26, 0.006, -0.045, site.light.on((90, 64, 44)), depth=depth)
    place.polygon([(0.012, -0.25), (0.012, -0.065), (0.11, -0.065)], site.light.on((246, 244, 236), 1.5), depth)
    place.polygon([(-0.012, -0.22), (-0.012, -0.065), (-0.085, -0.065)], site.light.on((226, 224, 216), 1.5), depth)
    place.polygon([(-0.13, -0.045), (0.13, -0.045), (0.085, 0.03), (-0.085, 0.03)], hull, depth)
    place.polygon([(-0.13, -0.045), (0.13, -0.045), (0.122, -0.03), (-0.122, -0.03)], lighter(hull, 0.3))


def island(canvas: Canvas, site: Site) -> None:
    x, y = site.x(canvas), site.horizon + 0.09
    depth = site.depth_at(y)
    place = canvas.at(x, y)
    place.ellipse(0, 0.02, 0.19, 0.045, site.light.on((226, 192, 128)), depth)
    place.ellipse(0, 0.006, 0.13, 0.03, site.light.on((96, 150, 76)), depth)
    for dx, height in ((-0.05, 0.2), (0.05, 0.16)):
        palm(canvas.at(x + dx * canvas.side / canvas.width, y, height), site.light, depth)


def house(canvas: Canvas, site: Site) -> None:
    x, y = site.x(canvas), min(0.95, site.horizon + 0.22)
    depth = site.depth_at(y)
    wall = site.light.on(COLORS[site.color or "white"], 1.3)
    roof, pane = site.light.on((112, 62, 48)), WINDOW_LIT if site.light.lamps else site.light.on((190, 224, 246))
    place = canvas.at(x, y)
    place.rectangle(0.05, -0.29, 0.085, -0.18, darker(roof, 0.25), depth=depth)
    place.rectangle(-0.115, -0.165, 0.115, 0, wall, depth=depth)
    place.polygon([(-0.145, -0.16), (0.145, -0.16), (0, -0.28)], roof, depth)
    place.rectangle(-0.025, -0.09, 0.025, 0, site.light.on((80, 52, 40)), depth=depth)
    for off in (-0.07, 0.07):
        place.rectangle(off - 0.022, -0.12, off + 0.022, -0.075, pane)
        place.line([(off, -0.12), (off, -0.075)], darker(wall, 0.3), 0.004)


def tree(canvas: Canvas, site: Site) -> None:
    x, y = site.x(canvas), min(0.95, site.horizon + 0.2)
    leafy(canvas.at(x, y, 0.4), site.light, canvas.random.random(), site.depth_at(y))


def cactus(canvas: Canvas, site: Site) -> None:
    x, y = site.x(canvas), min(0.95, site.horizon + 0.28)
    green, depth = site.light.on((62, 132, 76)), site.depth_at(y)
    place = canvas.at(x, y)
    for x0, y0, x1, y1, radius in (
        (-0.028, -0.3, 0.028, 0, 0.028),
        (-0.1, -0.22, -0.06, -0.105, 0.02),
        (-0.1, -0.14, 0, -0.105, 0.015),
        (0.06, -0.25, 0.1, -0.15, 0.02),
        (0, -0.185, 0.1, -0.15, 0.015),
    ):
        place.rectangle(x0, y0, x1, y1, green, radius, depth)
    place.line([(-0.008, -0.28), (-0.008, -0.02)], lighter(green, 0.25), 0.004)


DRAW: dict[str, Callable[[Canvas, Site], None]] = {
    "boat": boat,
    "island": island,
    "house": house,
    "tree": tree,
    "cactus": cactus,
}
