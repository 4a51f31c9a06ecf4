"""Landscapes at a time of day: a terrain, a sun or moon, something in the sky, and something that stands there."""

import random
from dataclasses import dataclass, replace

from shared.scenes import sky, terrain, things
from shared.scenes.canvas import Canvas
from shared.scenes.colors import article

TIMES = ("day", "sunset", "night", "dawn", "storm")
THINGS: dict[str, tuple[str | None, ...]] = {
    "ocean": ("boat", "island", None),
    "mountains": ("house", "tree", None),
    "desert": ("cactus", "house", None),
    "meadow": ("tree", "house", None),
    "forest": ("house", None),
    "city": (None,),
}
BODIES = {"day": "sun", "sunset": "sun", "dawn": "sun", "night": "moon"}
ALOFT: tuple[str | None, ...] = (None, "clouds", "balloon", "birds")
PLACES = ("left", "center", "right")
PAINTED = ("boat", "house")
PAINTS = ("red", "blue", "white", "yellow", "green")
BALLOONS = ("red", "blue", "yellow", "purple")

TERRAIN_WORDS = {
    "mountains": ("mountains", "a mountain range", "snowy peaks"),
    "ocean": ("the ocean", "the sea", "open water"),
    "city": ("a city skyline", "a city", "downtown"),
    "desert": ("a desert", "desert dunes", "sand dunes"),
    "forest": ("a forest", "a pine forest", "the woods"),
    "meadow": ("a green meadow", "a meadow", "a field of flowers"),
}
TIME_WORDS = {
    "day": ("in daylight", "on a sunny day", "under a blue sky"),
    "sunset": ("at sunset", "in the evening light"),
    "night": ("at night", "under the stars"),
    "dawn": ("at dawn", "early in the morning"),
    "storm": ("in a storm", "under a stormy sky"),
}
THING_WORDS = {
    "boat": ("boat", "sailing boat"),
    "house": ("house", "cottage"),
    "tree": ("tree",),
    "cactus": ("cactus",),
    "island": ("island", "island with palm trees"),
}
PLACE_WORDS = {"left": "on the left", "center": "in the center", "right": "on the right"}


@dataclass(frozen=True)
class Landscape:
    seed: int
    time: str
    terrain: str
    thing: str | None = None
    thing_color: str | None = None
    thing_place: str = "center"
    body: str | None = None
    body_place: str = "center"
    aloft: str | None = None
    aloft_color: str | None = None


def sample(rng: random.Random) -> Landscape:
    time, ground = rng.choice(TIMES), rng.choice(tuple(THINGS))
    thing = rng.choice(THINGS[ground])
    aloft = rng.choice(ALOFT if time != "storm" else ("clouds", None))
    return Landscape(
        seed=rng.randrange(1 << 30),
        time=time,
        terrain=ground,
        thing=thing,
        thing_color=rng.choice(PAINTS) if thing in PAINTED else None,
        thing_place=rng.choice(PLACES),
        body=BODIES.get(time) if rng.random() < 0.75 else None,
        body_place=rng.choice(PLACES),
        aloft=aloft,
        aloft_color=rng.choice(BALLOONS) if aloft == "balloon" else None,
    )


def held_out(scene: Landscape) -> bool:
    return (
        (scene.thing == "boat" and scene.thing_color == "yellow" and scene.time == "night")
        or (scene.terrain == "desert" and scene.time == "storm")
        or (scene.terrain == "city" and scene.aloft_color == "purple")
    )


def caption(scene: Landscape, rng: random.Random) -> str:
    """In free wording; what is told is there, but not all that is there is told."""
    ground, when = rng.choice(TERRAIN_WORDS[scene.terrain]), rng.choice(TIME_WORDS[scene.time])
    text = f"{ground} {when}"
    if scene.thing:
        word = rng.choice(THING_WORDS[scene.thing])
        thing = article(f"{scene.thing_color} {word}" if scene.thing_color else word)
        if rng.random() < 0.4:
            thing = f"{thing} {PLACE_WORDS[scene.thing_place]}"
        before = "on" if scene.terrain == "ocean" else "in"
        text = rng.choice((f"{thing} {before} {ground} {when}", f"{ground} with {thing} {when}"))
    if beside := _beside(scene, rng):
        text += (" and " if " with " in text else " with ") + " and ".join(beside)
    return rng.choice(("", "", "a picture of ", "a view of ")) + text


def _beside(scene: Landscape, rng: random.Random) -> list[str]:
    told: list[str] = []
    if scene.body and rng.random() < 0.7:
        told.append(f"the {scene.body}" + (f" {PLACE_WORDS[scene.body_place]}" if rng.random() < 0.3 else ""))
    if scene.aloft and rng.random() < 0.8:
        told.append(f"a {scene.aloft_color} balloon" if scene.aloft == "balloon" else scene.aloft)
    return told


def questions(scene: Landscape) -> list[tuple[str, str]]:
    asked = [
        ("what time of day is it?", scene.time),
        ("what is the landscape?", scene.terrain),
        ("is there a boat?", "yes" if scene.thing == "boat" else "no"),
        ("is there a house?", "yes" if scene.thing == "house" else "no"),
        ("is the moon visible?", "yes" if scene.body == "moon" else "no"),
        ("what is in the sky?", scene.aloft or scene.body or "nothing"),
    ]
    if scene.thing:
        asked.append((f"where is the {scene.thing}?", scene.thing_place))
    if scene.thing_color:
        asked.append((f"what color is the {scene.thing}?", scene.thing_color))
    if scene.aloft_color:
        asked.append(("what color is the balloon?", scene.aloft_color))
    return asked


def draw(scene: Landscape, canvas: Canvas) -> None:
    light = sky.LIGHTS[scene.time]
    horizon = terrain.HORIZONS[scene.terrain] + canvas.random.uniform(-0.04, 0.04)
    skyline = horizon - terrain.RISES.get(scene.terrain, 0.0)
    sun = sky.draw(canvas, scene.time, horizon, skyline, scene.body, scene.body_place)
    if scene.aloft == "clouds":
        sky.clouds(canvas, scene.time)
    keep_clear = things.PLACES[scene.thing_place] if scene.thing else None
    terrain.DRAW[scene.terrain](canvas, terrain.Ground(light, horizon, sun, keep_clear))
    if scene.aloft == "balloon" and scene.aloft_color:
        sky.balloon(canvas, light, scene.aloft_color, sun)
    if scene.aloft == "birds":
        sky.birds(canvas, scene.time)
    if scene.thing:
        things.DRAW[scene.thing](canvas, things.Site(light, horizon, scene.thing_place, scene.thing_color))


def at_other_time(scene: Landscape, time: str) -> Landscape:
    """The same place at another time of day, with what can then be in the sky."""
    return replace(scene, time=time, body=BODIES.get(time) if scene.body else None)
