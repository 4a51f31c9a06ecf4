"""What scenes are drawn on: a picture and its depth, twice as large as asked for, so that edges are anti-aliased."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from shared.scenes.colors import Color, mix

SUPERSAMPLE = 2
NEAR, FAR = 0.05, 0.8
"""Depth of a ground plane at the lower edge of the picture and at its horizon; 0 is the camera, 1 the sky."""
Points = Sequence[tuple[float, float]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """A coordinate system on the canvas: (0, 0) lies at (left, top), and 1 is `across` and `down` pixels long."""

    picture: ImageDraw.ImageDraw
    depth: ImageDraw.ImageDraw | None
    left: float
    top: float
    across: float
    down: float

    def pixels(self, points: Points) -> list[tuple[float, float]]:
        return [(self.left + x * self.across, self.top + y * self.down) for x, y in points]

    def polygon(self, points: Points, fill: Color | int, depth: float | None = None) -> None:
        where = self.pixels(points)
        self.picture.polygon(where, fill=fill)
        if depth is not None and self.depth is not None:
            self.depth.polygon(where, fill=depth)

    def ellipse(
        self, x: float, y: float, radius_x: float, radius_y: float, fill: Color | int, depth: float | None = None
    ) -> None:
        box = self.pixels([(x - radius_x, y - radius_y), (x + radius_x, y + radius_y)])
        self.picture.ellipse(box, fill=fill)
        if depth is not None and self.depth is not None:
            self.depth.ellipse(box, fill=depth)

    def rectangle(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Color | int,
        radius: float = 0.0,
        depth: float | None = None,
    ) -> None:
        box = self.pixels([(x0, y0), (x1, y1)])
        self.picture.rounded_rectangle(box, radius * min(self.across, self.down), fill=fill)
        if depth is not None and self.depth is not None:
            self.depth.rectangle(box, fill=depth)

    def line(self, points: Points, fill: Color, width: float) -> None:
        pixels = max(1, round(width * min(self.across, self.down)))
        self.picture.line(self.pixels(points), fill=fill, width=pixels, joint="curve")


class Canvas:
    """`time` in [0, 1] moves what moves.

    Every choice comes from `random`, in an order that neither size nor time change.
    """

    def __init__(self, width: int, height: int, seed: int, time: float) -> None:
        self.size = (width, height)
        self.width, self.height = width * SUPERSAMPLE, height * SUPERSAMPLE
        self.side = min(self.width, self.height)
        self.random = random.Random(seed)
        self.time = time
        self.image = Image.new("RGB", (self.width, self.height))
        self.depth = Image.new("F", (self.width, self.height), 1.0)

    @property
    def whole(self) -> Place:
        """1 is the width, and the height."""
        return Place(ImageDraw.Draw(self.image), ImageDraw.Draw(self.depth), 0, 0, self.width, self.height)

    def at(self, x: float, y: float, scale: float = 1.0) -> Place:
        """Around a point given as shares of width and height; 1 is the canvas's shorter side times `scale`."""
        unit = self.side * scale
        draw, depth = ImageDraw.Draw(self.image), ImageDraw.Draw(self.depth)
        return Place(draw, depth, x * self.width, y * self.height, unit, unit)

    def stencil(self, place: Place) -> tuple[Image.Image, Place]:
        """An empty mask, and `place` on it: what is drawn there with 255 is inside."""
        mask = Image.new("L", self.image.size, 0)
        return mask, Place(ImageDraw.Draw(mask), None, place.left, place.top, place.across, place.down)

    def paint(self, mask: Image.Image, color: Color) -> None:
        self.image.paste(Image.new("RGB", self.image.size, color), (0, 0), mask)

    def gradient(self, upper: Color, lower: Color, y0: float = 0.0, y1: float = 1.0) -> None:
        """From `upper` at height y0 to `lower` at y1, over everything that lies below y0."""
        top = max(0, int(y0 * self.height)) if y0 > 0 else 0
        rows = (np.arange(top, self.height) / self.height - y0) / max(1e-6, y1 - y0)
        shares = np.clip(rows, 0, 1)[:, None]
        column = (np.array(upper) * (1 - shares) + np.array(lower) * shares).astype(np.uint8)
        strip = np.repeat(column[:, None], self.width, axis=1)
        self.image.paste(Image.fromarray(strip), (0, top))

    def ground(self, horizon: float, near: float = NEAR, far: float = FAR) -> None:
        """The depth of a plane from the horizon down to the lower edge."""
        top = int(horizon * self.height)
        below = np.linspace(0, 1, self.height - top, dtype=np.float32)
        rows = near + (far - near) * (1 - below) ** 1.5
        self.depth.paste(Image.fromarray(np.repeat(rows[:, None], self.width, axis=1)), (0, top))

    def backdrop_depth(self, depth: float) -> None:
        self.depth.paste(depth, (0, 0, self.width, self.height))

    def grid(self) -> tuple[Floats, Floats]:
        """(H, 1) and (1, W): each pixel's place as shares of height and width."""
        y = np.linspace(0, 1, self.height, endpoint=False, dtype=np.float32)
        x = np.linspace(0, 1, self.width, endpoint=False, dtype=np.float32)
        return y[:, None], x[None, :]

    def glow(self, x: float, y: float, radius: float, color: Color, strength: float) -> None:
        """A soft light around (x, y); `radius` in shorter sides, `strength` in [0, 1]."""
        rows, columns = self.grid()
        across, down = self.width / self.side, self.height / self.side
        distance = ((columns - x) * across) ** 2 + ((rows - y) * down) ** 2
        mask = (np.exp(-distance / radius**2) * strength * 255).astype(np.uint8)
        self.paint(Image.fromarray(mask), color)

    def shadow(self, place: Place, radius_x: float, radius_y: float, strength: int = 110) -> None:
        """A soft dark ellipse at the foot of what stands at `place`; `strength` in [0, 255]."""
        mask, shape = self.stencil(place)
        shape.ellipse(0, 0, radius_x, radius_y, strength)
        self.paint(mask.filter(ImageFilter.GaussianBlur(self.side * 0.02)), (10, 10, 16))

    def round_off(self, mask: Image.Image, color: Color, shine: float, depth: float | None = None) -> None:
        """Fill a mask as if it were a cylinder lit from the left, with a highlight of strength `shine` in [0, 1]."""
        box = mask.getbbox()
        if box is None:
            return
        x = np.linspace(-1, 1, box[2] - box[0])
        light = 0.62 + 0.5 * np.exp(-(((x + 0.35) / 0.55) ** 2))
        row = np.array(color)[None] * light[:, None] + 255 * shine * np.exp(-(((x + 0.4) / 0.14) ** 2))[:, None]
        strip = np.repeat(np.clip(row, 0, 255).astype(np.uint8)[None], box[3] - box[1], axis=0)
        inside = mask.crop(box)
        self.image.paste(Image.fromarray(strip), box[:2], inside)
        if depth is not None:
            bulge = (depth - 0.12 * np.sqrt(np.clip(1 - x**2, 0, 1))).astype(np.float32)
            self.depth.paste(Image.fromarray(np.repeat(bulge[None], box[3] - box[1], axis=0)), box[:2], inside)

    def ball(self, mask: Image.Image, color: Color, depth: float) -> None:
        """Fill a round mask as a sphere lit from the upper left."""
        box = mask.getbbox()
        if box is None:
            return
        y, x = np.mgrid[-1 : 1 : (box[3] - box[1]) * 1j, -1 : 1 : (box[2] - box[0]) * 1j]
        off = (x + 0.35) ** 2 + (y + 0.4) ** 2
        light = np.clip(1.15 - 0.38 * off, 0.35, 1.15)[..., None]
        shine = 0.8 * np.exp(-off / 0.06)[..., None]
        colors = np.array(color) * light * (1 - shine) + 255 * shine
        inside = mask.crop(box)
        self.image.paste(Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8)), box[:2], inside)
        bulge = (depth - 0.15 * np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))).astype(np.float32)
        self.depth.paste(Image.fromarray(bulge), box[:2], inside)

    def blend(self, share: NDArray[np.floating | np.bool], first: Color, second: Color) -> None:
        """Fill everything: `first` where `share` (H, W) is 0, `second` where it is 1."""
        full = np.broadcast_to(share, (self.height, self.width))
        mask = Image.fromarray((np.clip(full, 0, 1) * 255).astype(np.uint8))
        base = Image.new("RGB", self.image.size, first)
        self.image = Image.composite(Image.new("RGB", self.image.size, second), base, mask)

    def vignette(self, strength: float) -> None:
        """Darker corners, as a lens makes them."""
        y, x = self.grid()
        mask = np.clip(((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2 * strength * 255, 0, 255).astype(np.uint8)
        self.image = ImageChops.subtract(self.image, Image.merge("RGB", [Image.fromarray(mask)] * 3))

    def finish(self) -> tuple[Image.Image, Floats]:
        """The picture (RGB) and its depth (H, W) in [0, 1], in the size that was asked for."""
        image = self.image.resize(self.size, Image.Resampling.BOX)
        depth = np.asarray(self.depth.resize(self.size, Image.Resampling.BOX), dtype=np.float32)
        return image, np.clip(depth, 0, 1, dtype=np.float32)


def tinted(color: Color, light: float, tint: Color) -> Color:
    """`color` under a light of that strength in [0, 1] and color."""
    red, green, blue = (int(min(255, value * light * part / 255)) for value, part in zip(color, tint, strict=True))
    return red, green, blue


def lighter(color: Color, share: float = 0.2) -> Color:
    return mix(color, (255, 255, 255), share)


def darker(color: Color, share: float = 0.2) -> Color:
    return mix(color, (0, 0, 0), share)
