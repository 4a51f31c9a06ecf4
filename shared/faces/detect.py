"""Faces in a photo, by the cascades that OpenCV carries (Viola and Jones 2001, https://doi.org/10.1109/CVPR.2001.990517).

Two of three cascades of different training have to see the same face: a wrong find would put a curtain into somebody's
ad. What they look at is not equalized: a large flat background would take all the contrast.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from shared.errors import InvalidRequest
from shared.faces.types import Box, Floats, Pixels
from shared.pictures import on_white

WORKING_PX = 900
SMALLEST_PX = 48
"""A face less wide than this has too few pixels to be shown."""
SHARP = 30.0
"""Variance of the Laplacian of a face scaled to FACE_PX: below, it is out of focus (LOG.md has the measurement)."""
FACE_PX = 112
FLAT = 0.3
"""The share of pixels without any neighbour of another brightness: photographs have grain, drawings do not."""
AGREE = 0.4
"""Boxes that share this much (intersection over union) are the same face."""
FRONTAL = ("frontalface_alt2", "frontalface_default", "frontalface_alt")
SEARCHED_FROM = 20


@dataclass(frozen=True)
class Face:
    box: Box
    sharpness: float


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def find_faces(photo: Image.Image) -> list[Face]:
    """All faces that look at the camera, the widest first."""
    return _find(np.asarray(on_white(photo)))


def _find(photo: Pixels) -> list[Face]:
    scale = min(1.0, WORKING_PX / max(photo.shape[:2]))
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    boxes = sorted((box.scaled(1 / scale) for box in _agreed(small)), key=lambda box: -box.width)
    return [Face(box, _sharpness(grey, box)) for box in boxes]


def _agreed(grey: Pixels) -> list[Box]:
    """The mean of the boxes that two or three cascades drew around the same place."""
    seen = [_search(grey, name, 4) for name in FRONTAL]
    agreed: list[Box] = []
    for number, boxes in enumerate(seen):
        for box in boxes:
            same = [box, *(other for later in seen[number + 1 :] for other in later if box.overlap(other) > AGREE)]
            if len(same) > 1 and all(box.overlap(other) <= AGREE for other in agreed):
                agreed.append(Box(*np.mean([(one.left, one.top, one.width, one.height) for one in same], 0).tolist()))
    return agreed


def choose_face(photo: Image.Image, index: int | None = None) -> Face:
    """The one face, or the one with that place in `find_faces`. Raises InvalidRequest with a code that says why not:

    no_face_found, face_turned, several_faces, face_too_small, face_blurred, face_drawn.
    """
    pixels = np.asarray(on_white(photo))
    faces = _find(pixels)
    if not faces:
        raise _nobody(pixels)
    if index is None and len(faces) > 1:
        raise InvalidRequest(
            f"{len(faces)} faces are in the picture: choose one by `index`, 0 is the widest",
            param="index",
            code="several_faces",
        )
    if index is not None and not 0 <= index < len(faces):
        raise InvalidRequest(f"there is no face {index}; {len(faces)} were found", param="index", code="no_such_face")
    face = faces[index or 0]
    if face.box.width < SMALLEST_PX:
        raise InvalidRequest(
            f"the face is {face.box.width:.0f} px wide; {SMALLEST_PX} are needed", param="image", code="face_too_small"
        )
    if _flatness(pixels, face.box) > FLAT:
        raise InvalidRequest("the face is drawn, not photographed", param="image", code="face_drawn")
    if face.sharpness < SHARP:
        raise InvalidRequest("the face is out of focus", param="image", code="face_blurred")
    return face


def _nobody(photo: Pixels) -> InvalidRequest:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, WORKING_PX / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if any(_search(side, "profileface", 5) for side in (small, cv2.flip(small, 1))):
        return InvalidRequest(
            "the face is turned away; it has to look at the camera", param="image", code="face_turned"
        )
    return InvalidRequest("no face was found in the picture", param="image", code="no_face_found")


def _search(grey: Pixels, name: str, neighbours: int) -> list[Box]:
    found = _cascade(name).detectMultiScale(grey, 1.1, neighbours, minSize=(SEARCHED_FROM, SEARCHED_FROM))
    return [Box(*map(float, box)) for box in found]


def _crop(grey: Pixels, box: Box) -> Pixels:
    top, left = max(0, int(box.top)), max(0, int(box.left))
    return grey[top : int(box.top + box.height), left : int(box.left + box.width)]


def _sharpness(grey: Pixels, box: Box) -> float:
    face = cv2.resize(_crop(grey, box), (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    contrast = max(20.0, float(face.std()))  # a dim photo is not a blurred one
    return float(cv2.Laplacian(face, cv2.CV_64F).var()) * (50 / contrast) ** 2


def _flatness(photo: Pixels, box: Box) -> float:
    face = cv2.cvtColor(_crop(photo, box), cv2.COLOR_RGB2GRAY)
    size = min(FACE_PX, face.shape[0])
    face = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    spread: Floats = cv2.dilate(face, np.ones((3, 3))) - cv2.erode(face, np.ones((3, 3)))
    return float((spread <= 1).mean())
