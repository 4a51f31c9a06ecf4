"""From the size that is wanted to the one that a model makes."""

from dataclasses import dataclass

from PIL import Image, ImageOps

from shared.errors import InvalidRequest

STEP = 8
"""Sides that may be asked for are multiples of it."""
SMALLEST = 64


@dataclass(frozen=True)
class Plan:
    """Sides in pixels: what is answered, and what is made, which has its shape and is scaled and cut to it."""

    width: int
    height: int
    made_width: int
    made_height: int


def plan(width: int, height: int, multiple: int, largest: int) -> Plan:
    """`largest`: the longest side that the model makes; 0: any."""
    share = min(1.0, largest / max(width, height)) if largest else 1.0
    up = [max(multiple, -(-round(side * share) // multiple) * multiple) for side in (width, height)]
    return Plan(width, height, *up)


def check(width: int, height: int, most: int) -> None:
    """A size that a request names. Raises InvalidRequest."""
    if width % STEP or height % STEP:
        raise InvalidRequest(f"size {width}x{height}: both must be multiples of {STEP}", param="size")
    if not min(width, height) >= SMALLEST or max(width, height) > most:
        raise InvalidRequest(f"size {width}x{height}: sides are {SMALLEST} to {most}", param="size")


def near(width: int, height: int, most: int) -> tuple[int, int]:
    """The size most like a picture's own that may be asked for."""
    share = min(1.0, most / max(width, height))
    sides = [max(SMALLEST, min(most, round(side * share / STEP) * STEP)) for side in (width, height)]
    return sides[0], sides[1]


def fit(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scaled to cover the size, and what sticks out cut off evenly."""
    if picture.size == (width, height):
        return picture
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
