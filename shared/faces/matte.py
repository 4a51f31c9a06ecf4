"""How much of each pixel is the person, and which color that part has."""

import cv2
import numpy as np

from shared.faces.laplacian import Laplacian
from shared.faces.person import find_person
from shared.faces.types import Box, Floats, Pixels

FOUND_PX, MATTED_PX = 96, 160
"""The face's width in the smaller photos on which the person is looked for, and her edge is drawn."""
HAIR, CLOTHES = 0.07, 0.03
"""Face widths to either side of the person's edge within which a pixel may be partly hers."""
CHIN = 0.55
"""Face heights from the middle of the face down: above may be hair."""
EDGE = 1e-4
"""Variance of color that counts as an edge here. Ten times less let float32 and the grain of a photo tear the edge."""
STEPS = 40
CLEAR = 0.04
"""What differs less from 0 or 1 is 0 or 1: a veil of the old background would show."""
WIDE, NARROW = 0.25, 0.03
"""Face widths from which an edge's colors are gathered, first and second time."""


def find_matte(photo: Pixels, face: Box) -> Floats:
    """(H, W) in [0, 1] for a photo (H, W, 3) of head and chest and the box of its face."""
    small, scale = _shrunk(photo, face, FOUND_PX)
    hard = find_person(small, face.scaled(scale))
    middle, scale = _shrunk(photo, face, MATTED_PX)
    soft = _softened(middle, _sized(hard, middle), face.scaled(scale))
    if scale < 1:
        fine = Laplacian(photo.astype(np.float32) / np.float32(255), radius=round(1 / scale) + 1, epsilon=EDGE)
        soft = fine.smooth(_sized(soft, photo))
    return np.clip((soft - CLEAR) / (1 - 2 * CLEAR), 0, 1, dtype=np.float32)


def _shrunk(photo: Pixels, face: Box, face_px: int) -> tuple[Pixels, float]:
    scale = min(1.0, face_px / face.width)
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return (cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo), scale


def _sized(values: Floats, like: Pixels) -> Floats:
    if values.shape == like.shape[:2]:
        return values
    return cv2.resize(values, (like.shape[1], like.shape[0]), interpolation=cv2.INTER_LINEAR)


def _softened(photo: Pixels, hard: Floats, face: Box) -> Floats:
    """Closed-form matting of a band around the edge of the mask `hard` (H, W)."""
    inside = (hard > 0.5).astype(np.uint8)
    away = np.maximum(cv2.distanceTransform(inside, cv2.DIST_L2, 5), cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5))
    below = (np.arange(photo.shape[0])[:, None] - face.center_y) / face.height
    band = np.where(below < CHIN, HAIR, CLOTHES) * face.width
    wanted = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)
    trust = np.where(away > band, 1.0, 1e-3).astype(np.float32)
    laplacian = Laplacian(photo.astype(np.float32) / np.float32(255), radius=1, epsilon=EDGE)
    return np.clip(laplacian.solve(wanted, trust, STEPS), 0, 1)


def own_colors(photo: Pixels, matte: Floats, face: Box) -> Pixels:
    """(H, W, 3): the person's color at each pixel, where the old background shows through too.

    Blur-fusion (Forte 2021, https://doi.org/10.1109/ICIP42928.2021.9506164): averages of both sides, then whatever of
    the pixel they do not explain. Where the matte is 1 the pixel stays as it is.
    """
    picture = photo.astype(np.float32)
    alpha = matte[..., None]
    person, background = picture, picture
    for reach in (WIDE, NARROW):
        side = max(1, round(reach * face.width)) * 2 + 1
        share = cv2.blur(matte, (side, side))[..., None]
        person = cv2.blur(person * alpha, (side, side)) / np.maximum(share, 1e-5)
        background = cv2.blur(background * (1 - alpha), (side, side)) / np.maximum(1 - share, 1e-5)
        person = np.clip(person + alpha * (picture - alpha * person - (1 - alpha) * background), 0, 255)
    return np.where(alpha == 1, photo, np.round(person)).astype(np.uint8)
