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
CLOSER = 2.0
"""Where no face is found it is looked for once more in the photo enlarged by this: the cascades learned from faces of
20 px and see one that has hardly more only sometimes."""
SEARCHED_PX = (20, 0)
"""The narrowest and widest face that is looked for; 0 is any."""
CLOSER_PX = (28, 64)
"""The same in the enlarged photo: what is wider would have been seen before."""


@dataclass(frozen=True)
class Face:
    box: Box
    sharpness: float


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def find_faces(photo: Image.Image) -> list[Face]:
    """All faces that look at the camera, the widest first."""
    grey = _grey(photo)
    return _faces(grey, _working_scale(grey), SEARCHED_PX)


def _grey(photo: Image.Image) -> Pixels:
    return cv2.cvtColor(np.asarray(on_white(photo)), cv2.COLOR_RGB2GRAY)


def _faces(grey: Pixels, scale: float, widths_px: tuple[int, int]) -> list[Face]:
    boxes = [box.scaled(1 / scale) for box in _agreed(_scaled(grey, scale), widths_px)]
    return [Face(box, _sharpness(grey, box)) for box in sorted(boxes, key=lambda box: -box.width)]


def _working_scale(grey: Pixels) -> float:
    return min(1.0, WORKING_PX / max(grey.shape))


def _scaled(grey: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _agreed(grey: Pixels, widths_px: tuple[int, int]) -> list[Box]:
    """The mean of the boxes that two or three cascades drew around the same place."""
    seen = [_search(grey, name, 4, widths_px) for name in FRONTAL]
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
    grey = _grey(photo)
    scale = _working_scale(grey)
    faces = _faces(grey, scale, SEARCHED_PX)
    if not faces:
        _check_profile(_scaled(grey, scale))
        faces = _faces(grey, CLOSER * scale, CLOSER_PX)
    if not faces:
        raise InvalidRequest("no face was found in the picture", param="image", code="no_face_found")
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
    if _flatness(grey, face.box) > FLAT:
        raise InvalidRequest("the face is drawn, not photographed", param="image", code="face_drawn")
    if face.sharpness < SHARP:
        raise InvalidRequest("the face is out of focus", param="image", code="face_blurred")
    return face


def _check_profile(grey: Pixels) -> None:
    """Raises InvalidRequest."""
    if any(_search(side, "profileface", 5, SEARCHED_PX) for side in (grey, cv2.flip(grey, 1))):
        raise InvalidRequest("the face is turned away; it has to look at the camera", param="image", code="face_turned")


def _search(grey: Pixels, name: str, neighbours: int, widths_px: tuple[int, int]) -> list[Box]:
    least, most = widths_px
    found = _cascade(name).detectMultiScale(grey, 1.1, neighbours, minSize=(least, least), maxSize=(most, most))
    return [Box(*map(float, box)) for box in found]


def _crop(grey: Pixels, box: Box) -> Pixels:
    top, left = max(0, int(box.top)), max(0, int(box.left))
    return grey[top : int(box.top + box.height), left : int(box.left + box.width)]


def _sharpness(grey: Pixels, box: Box) -> float:
    face = cv2.resize(_crop(grey, box), (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    contrast = max(20.0, float(face.std()))  # a dim photo is not a blurred one
    return float(cv2.Laplacian(face, cv2.CV_64F).var()) * (50 / contrast) ** 2


def _flatness(grey: Pixels, box: Box) -> float:
    face = _crop(grey, box)
    size = min(FACE_PX, face.shape[0])
    face = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    spread: Floats = cv2.dilate(face, np.ones((3, 3))) - cv2.erode(face, np.ones((3, 3)))
    return float((spread <= 1).mean())
