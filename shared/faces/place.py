"""Where a person stands in a picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from shared.errors import InvalidRequest
from shared.faces.cutout import Cutout, inner_face
from shared.faces.types import Box, Floats

LARGEST_ENLARGEMENT = 2.0
DEFAULT_SIZE = 0.8
SMALLEST_FACE_PX = 8


@dataclass(frozen=True)
class Placement:
    """She stands on the picture's lower edge. Raises InvalidRequest for values out of range."""

    x: float = 0.5
    """Where the middle of the face stands, in [0, 1] of the picture's width; 0 is the left edge."""
    size: float | None = None
    """The person's height, in (0, 1] of the picture's. None: 0.8, or what fits her width and the photo's pixels."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and 0 <= self.x <= 1):
            raise InvalidRequest("x is a share of the width: 0 to 1", param="placement.x")
        if self.size is not None and not (math.isfinite(self.size) and 0 < self.size <= 1):
            raise InvalidRequest("size is a share of the height: above 0, at most 1", param="placement.size")


@dataclass(frozen=True)
class Placed:
    """The part of the picture that the person takes: all arrays (H, W, …) of that part."""

    pixels: Floats  # (H, W, 3) in [0, 255]
    matte: Floats  # (H, W) in [0, 1]
    core: Floats  # (H, W): 1 on the inner face, else 0
    face: Box
    where: tuple[slice, slice]
    """Rows and columns of the picture."""


def place(cutout: Cutout, width: int, height: int, placement: Placement) -> Placed:
    """Scale and move the person for a picture of that size. Raises InvalidRequest on `placement` if her face would not
    be wholly inside or be a few pixels, or if the photo would have to be enlarged more than twice."""
    scale = _scale(cutout, width, height, placement)
    if scale * cutout.face.width < SMALLEST_FACE_PX:
        raise InvalidRequest(
            f"the face would be less than {SMALLEST_FACE_PX} px wide: choose a larger size or picture",
            param="placement",
        )
    size = (max(1, round(cutout.matte.shape[1] * scale)), max(1, round(cutout.matte.shape[0] * scale)))
    left = round(placement.x * width - cutout.face.center_x * scale)
    top = height - size[1]
    face = cutout.face.scaled(scale).moved(left, top)
    if face.left < 0 or face.left + face.width > width or face.top < 0 or face.top + face.height > height:
        raise InvalidRequest("the face would be cut off there: move it inwards, or make it smaller", param="placement")
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    x0, x1, y0 = max(0, left), min(width, left + size[0]), max(0, top)
    seen = (slice(y0 - top, height - top), slice(x0 - left, x1 - left))
    pixels = cv2.resize(cutout.pixels, size, interpolation=how)[seen].astype(np.float32)
    matte = np.clip(cv2.resize(cutout.matte, size, interpolation=how)[seen], 0, 1)
    face = face.moved(-x0, -y0)
    core = inner_face(matte.shape[0], matte.shape[1], face)
    return Placed(pixels, np.maximum(matte, core), core, face, (slice(y0, height), slice(x0, x1)))


def _scale(cutout: Cutout, width: int, height: int, placement: Placement) -> float:
    own_height, own_width = cutout.matte.shape
    if placement.size is None:
        return min(DEFAULT_SIZE * height / own_height, 1.1 * width / own_width, LARGEST_ENLARGEMENT)
    scale = placement.size * height / own_height
    if scale > LARGEST_ENLARGEMENT:
        most = LARGEST_ENLARGEMENT * own_height / height
        raise InvalidRequest(
            f"the photo has too few pixels to be shown that large: size is at most {most:.2f} here",
            param="placement.size",
        )
    return scale
