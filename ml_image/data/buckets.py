"""Pictures of one area and many shapes: each goes to the size, of those with about the trained area, that cuts least.

Aspect buckets as NovelAI described them (https://blog.novelai.net/novelai-improvements-on-stable-diffusion-e10d38db82ac):
sides are multiples of 64 at 512 px, and in proportion elsewhere, at most twice as long as high or high as long.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

STEPS = 8
"""A side of the square has so many; other sides are whole numbers of them."""
LONGEST = 2.0


def sizes(resolution: int, multiple: int = 8) -> list[tuple[int, int]]:
    """(width, height) in pixels, all about `resolution` squared, the square first."""
    step = max(multiple, resolution // STEPS // multiple * multiple)
    found = [(resolution, resolution)]
    for width in range(step, int(resolution * LONGEST) + 1, step):
        height = round(resolution**2 / width / step) * step
        if height and 1 / LONGEST <= width / height <= LONGEST:
            found += [(width, height), (height, width)]
    return list(dict.fromkeys(found))


def nearest(width: int, height: int, among: list[tuple[int, int]]) -> tuple[int, int]:
    """The size whose shape is closest, by the ratio of the ratios."""
    return min(among, key=lambda size: abs(np.log((width / height) / (size[0] / size[1]))))


def fit(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Scaled to cover `size` and cut in the middle: (H, W, 3) uint8."""
    width, height = size
    scale = max(width / picture.width, height / picture.height)
    wide, high = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
    left, upper = (wide - width) // 2, (high - height) // 2
    scaled = picture.convert("RGB").resize((wide, high), Image.Resampling.LANCZOS)
    return np.asarray(scaled.crop((left, upper, left + width, upper + height)))


def grouped(shapes: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """(shape, the places that have it), each shape once."""
    for shape in sorted(set(shapes)):
        yield shape, np.array([place for place, other in enumerate(shapes) if other == shape])
