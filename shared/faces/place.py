"""Where a person stands in a picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from shared.errors import InvalidRequest
from shared.faces.cutout import Cutout
from shared.faces.types import Box, Floats

CORE_X, CORE_Y = 0.40, 0.52
"""The inner face, brows to chin and cheek to cheek: an ellipse with these shares of the face box as radii."""
LARGEST_ENLARGEMENT = 2.0
DEFAULT_SIZE = 0.8


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
    """A cut-out in the picture's coordinates, all (H, W, …) of the picture."""

    pixels: Floats  # (H, W, 3) in [0, 255]
    matte: Floats  # (H, W) in [0, 1]
    core: Floats  # (H, W): 1 on the inner face, else 0
    face: Box


def place(cutout: Cutout, width: int, height: int, placement: Placement) -> Placed:
    """Scale and move the person onto an empty picture of that size. Raises InvalidRequest on `placement` if her face
    would not be wholly inside, or if the photo would have to be enlarged more than twice."""
    scale = _scale(cutout, width, height, placement)
    size = (max(1, round(cutout.matte.shape[1] * scale)), max(1, round(cutout.matte.shape[0] * scale)))
    left = round(placement.x * width - cutout.face.center_x * scale)
    top = height - size[1]
    face = cutout.face.scaled(scale).moved(left, top)
    if face.left < 0 or face.left + face.width > width or face.top < 0 or face.top + face.height > height:
        raise InvalidRequest("the face would be cut off there: move it inwards, or make it smaller", param="placement")
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = _onto(cv2.resize(cutout.pixels, size, interpolation=how).astype(np.float32), (height, width, 3), left, top)
    matte = _onto(np.clip(cv2.resize(cutout.matte, size, interpolation=how), 0, 1), (height, width), left, top)
    core = np.zeros((height, width), np.float32)
    center = (round(face.center_x), round(face.center_y))
    cv2.ellipse(core, center, (round(CORE_X * face.width), round(CORE_Y * face.height)), 0, 0, 360, 1.0, -1)
    return Placed(pixels, np.maximum(matte, core), core, face)


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


def _onto(part: Floats, shape: tuple[int, ...], left: int, top: int) -> Floats:
    """`part` at (left, top) of zeros of `shape`; what lies outside is cut off."""
    whole = np.zeros(shape, np.float32)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(shape[1], left + part.shape[1]), min(shape[0], top + part.shape[0])
    if x1 > x0 and y1 > y0:
        whole[y0:y1, x0:x1] = part[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole
