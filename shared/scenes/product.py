"""Product pictures: one thing on a colored backdrop, standing on a table or on nothing but its shadow."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from shared.scenes.canvas import Canvas, Place, darker, lighter
from shared.scenes.colors import COLORS, Color, article, mix

WOODS: tuple[Color, ...] = ((150, 104, 68), (186, 146, 104), (120, 84, 60))
DEPTH = 0.35
WALL = 0.9
FOOT = 0.8
TABLE = 0.68
CREAM: Color = (244, 240, 228)
SURFACES = ("backdrop", "table", "podium")


@dataclass(frozen=True)
class Product:
    seed: int
    thing: str
    color: str
    backdrop: str
    surface: str = "backdrop"


@dataclass(frozen=True)
class Stage:
    """Where the thing stands: `place` has its foot at (0, 0)."""

    canvas: Canvas
    place: Place
    color: Color

    def solid(self, draw: Callable[[Place], object], color: Color, shine: float) -> None:
        """What `draw` fills with 255, as a body that is lit from the left."""
        mask, shape = self.canvas.stencil(self.place)
        draw(shape)
        self.canvas.round_off(mask, color, shine, DEPTH)

    @property
    def light(self) -> bool:
        return sum(self.color) > 690

    @property
    def dark(self) -> bool:
        return sum(self.color) < 130


def sample(rng: random.Random) -> Product:
    thing, color = rng.choice(tuple(DRAW)), rng.choice(tuple(COLORS))
    backdrop = rng.choice([name for name in COLORS if name != color])
    return Product(rng.randrange(1 << 30), thing, color, backdrop, rng.choice(SURFACES))


def held_out(scene: Product) -> bool:
    return (scene.thing, scene.color) == ("cup", "purple") or (scene.thing, scene.backdrop) == ("shoe", "teal")


def caption(scene: Product, rng: random.Random) -> str:
    thing = article(f"{scene.color} {scene.thing}")
    behind = rng.choice((f"{article(scene.backdrop)} background", f"{article(scene.backdrop)} backdrop"))
    where = {
        "backdrop": f"on {behind}",
        "table": rng.choice((f"on a table with {behind}", f"on a wooden table, {behind}")),
        "podium": rng.choice((f"on a podium with {behind}", f"on a round podium, {behind}")),
    }[scene.surface]
    return rng.choice(("", "", "product photo of ", "an ad picture of ")) + f"{thing} {where}"


def questions(scene: Product) -> list[tuple[str, str]]:
    return [
        ("what is the product?", scene.thing),
        (f"what color is the {scene.thing}?", scene.color),
        ("what color is the background?", scene.backdrop),
        ("is it on a table?", "yes" if scene.surface == "table" else "no"),
        ("is it on a podium?", "yes" if scene.surface == "podium" else "no"),
        ("is there a boat?", "no"),
    ]


def draw(scene: Product, canvas: Canvas) -> None:
    rng, wall = canvas.random, COLORS[scene.backdrop]
    x, scale, wood = 0.5 + rng.uniform(-0.05, 0.05), rng.uniform(0.85, 1.1), rng.choice(WOODS)
    canvas.gradient(lighter(wall, 0.22), darker(wall, 0.12))
    canvas.backdrop_depth(WALL)
    foot = FOOT
    if scene.surface == "table":
        canvas.gradient(lighter(wood, 0.12), darker(wood, 0.2), TABLE, 1)
        canvas.ground(TABLE, 0.1, 0.85)
    else:
        canvas.glow(x, 0.45, 0.45, (255, 255, 255), 0.28)
        canvas.ground(0.75, 0.15, WALL)
    if scene.surface == "podium":
        foot = _podium(canvas, x, wall)
    canvas.shadow(canvas.at(x + 0.03, foot, scale), 0.24, 0.035)
    DRAW[scene.thing](Stage(canvas, canvas.at(x, foot, scale), COLORS[scene.color]))


def _podium(canvas: Canvas, x: float, wall: Color) -> float:
    """Returns the height of its top."""
    top, low = 0.8, 0.93
    place = canvas.at(x, top)
    down = (low - top) * canvas.height / canvas.side
    mask, shape = canvas.stencil(place)
    shape.rectangle(-0.34, 0, 0.34, down, 255)
    shape.ellipse(0, down, 0.34, 0.05, 255)
    canvas.round_off(mask, lighter(wall, 0.3), 0.0, DEPTH)
    canvas.at(x, top).ellipse(0, 0, 0.34, 0.05, lighter(wall, 0.5), DEPTH)
    return top + 0.012


def cup(stage: Stage) -> None:
    handle, shape = stage.canvas.stencil(stage.place)
    shape.ellipse(0.17, -0.2, 0.1, 0.12, 255)
    shape.ellipse(0.17, -0.2, 0.06, 0.08, 0)
    stage.canvas.round_off(handle, darker(stage.color, 0.1), 0.1, DEPTH)

    def body(shape: Place) -> None:
        shape.polygon([(-0.18, -0.4), (0.18, -0.4), (0.14, -0.02), (-0.14, -0.02)], 255)
        shape.ellipse(0, -0.02, 0.14, 0.035, 255)

    stage.solid(body, stage.color, 0.35)
    stage.place.ellipse(0, -0.4, 0.18, 0.04, lighter(stage.color, 0.3))
    stage.place.ellipse(0, -0.395, 0.155, 0.03, (84, 54, 36))


def bottle(stage: Stage) -> None:
    def glass(shape: Place) -> None:
        shape.rectangle(-0.11, -0.42, 0.11, 0.01, 255, 0.05)
        shape.polygon([(-0.11, -0.38), (0.11, -0.38), (0.045, -0.5), (-0.045, -0.5)], 255)
        shape.rectangle(-0.045, -0.6, 0.045, -0.46, 255, 0.01)

    stage.solid(glass, stage.color, 0.45)
    cap = (190, 190, 190) if stage.dark else (60, 60, 64)
    stage.solid(lambda shape: shape.rectangle(-0.052, -0.64, 0.052, -0.58, 255, 0.012), cap, 0.2)
    label = (90, 90, 96) if stage.light else CREAM
    stage.solid(lambda shape: shape.rectangle(-0.11, -0.3, 0.11, -0.14, 255), label, 0.05)
    stage.place.rectangle(-0.06, -0.25, 0.06, -0.225, darker(stage.color, 0.3))
    stage.place.rectangle(-0.045, -0.2, 0.045, -0.185, (120, 120, 120))


def phone(stage: Stage) -> None:
    stage.solid(lambda shape: shape.rectangle(-0.15, -0.56, 0.15, 0, 255, 0.035), stage.color, 0.15)
    glow = COLORS[stage.canvas.random.choice(tuple(COLORS))]
    stage.place.rectangle(-0.13, -0.535, 0.13, -0.03, (20, 22, 30), 0.02)
    for row in range(12):
        upper = -0.5 + row * 0.036
        stage.place.rectangle(-0.12, upper, 0.12, upper + 0.037, mix(glow, (255, 255, 255), row / 20))
    for i in range(6):
        x, y = -0.09 + 0.07 * (i % 3), -0.42 + 0.1 * (i // 3)
        stage.place.rectangle(x, y, x + 0.04, y + 0.04, (250, 250, 250), 0.01)


def shoe(stage: Stage) -> None:
    def upper(shape: Place) -> None:
        toe = [(-0.26, -0.26), (-0.1, -0.28), (0.04, -0.16), (0.2, -0.12), (0.28, -0.06), (0.28, -0.02), (-0.27, -0.02)]
        shape.polygon(toe, 255)
        shape.ellipse(0.2, -0.07, 0.09, 0.06, 255)

    stage.solid(upper, stage.color, 0.15)
    sole = (60, 60, 66) if stage.light else (246, 246, 246)
    laces = (80, 80, 86) if stage.light else (250, 250, 250)
    stage.place.rectangle(-0.28, -0.04, 0.3, 0.01, sole, 0.02)
    for i in range(4):
        x, y = 0.045 * i, 0.035 * i
        stage.place.polygon(
            [(x - 0.1, y - 0.26), (x - 0.04, y - 0.2), (x - 0.05, y - 0.19), (x - 0.11, y - 0.245)], laces
        )
    stage.place.polygon([(-0.26, -0.26), (-0.1, -0.28), (-0.14, -0.22), (-0.24, -0.21)], darker(stage.color, 0.5))


def ball(stage: Stage) -> None:
    mask, shape = stage.canvas.stencil(stage.place)
    shape.ellipse(0, -0.2, 0.2, 0.2, 255)
    stage.canvas.ball(mask, stage.color, DEPTH)


def lamp(stage: Stage) -> None:
    def stand(shape: Place) -> None:
        shape.rectangle(-0.015, -0.34, 0.015, -0.02, 255)
        shape.ellipse(0, -0.02, 0.12, 0.03, 255)

    stage.solid(stand, (90, 90, 96), 0.2)
    shade = [(-0.1, -0.58), (0.1, -0.58), (0.2, -0.32), (-0.2, -0.32)]
    stage.solid(lambda shape: shape.polygon(shade, 255), stage.color, 0.25)
    (x, y), canvas = stage.place.pixels([(0, -0.3)])[0], stage.canvas
    canvas.glow(x / canvas.width, y / canvas.height, 0.16, (255, 244, 200), 0.45)


def bag(stage: Stage) -> None:
    handle, shape = stage.canvas.stencil(stage.place)
    shape.ellipse(0, -0.36, 0.1, 0.13, 255)
    shape.ellipse(0, -0.36, 0.075, 0.105, 0)
    stage.canvas.round_off(handle, darker(stage.color, 0.25), 0.1, DEPTH)
    stage.solid(
        lambda shape: shape.polygon([(-0.17, -0.36), (0.17, -0.36), (0.21, 0), (-0.21, 0)], 255), stage.color, 0.15
    )
    stage.place.polygon([(-0.17, -0.36), (0.17, -0.36), (0.174, -0.33), (-0.174, -0.33)], darker(stage.color, 0.2))
    stage.place.rectangle(-0.04, -0.2, 0.04, -0.14, darker(stage.color, 0.4) if stage.light else CREAM, 0.01)


DRAW: dict[str, Callable[[Stage], None]] = {
    "cup": cup,
    "bottle": bottle,
    "phone": phone,
    "shoe": shoe,
    "ball": ball,
    "lamp": lamp,
    "bag": bag,
}
