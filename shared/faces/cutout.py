"""A person without her background, and the one file that keeps her."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from shared.faces.detect import choose_face
from shared.faces.matte import find_matte
from shared.faces.types import Box, Floats, Pixels
from shared.pictures import on_white

FACE_KEY = "face"
"""The PNG's text chunk with the face's box."""


@dataclass(frozen=True)
class Cutout:
    pixels: Pixels
    """(H, W, 3) RGB; at the edge and outside the person's own colors, not the old background's."""
    matte: Floats
    """(H, W) in [0, 1]: how much of each pixel is the person."""
    face: Box


def cut_out(photo: Image.Image, index: int | None = None) -> Cutout:
    """The person whose face is the only one, or number `index` of `find_faces`. Raises InvalidRequest as `choose_face`.

    Where the photo's frame cut the person at a side, the matte ends softly.
    """
    pixels = np.asarray(on_white(photo))
    face = choose_face(photo, index).box
    matte = find_matte(pixels, face)
    rows, columns = np.where(matte.max(1) > 0.02)[0], np.where(matte.max(0) > 0.02)[0]
    top, low, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    ending = _end_softly(matte, face)
    inside = (slice(top, low), slice(left, right))
    own = _colors_from_inside(pixels[inside], matte[inside])
    return Cutout(own, ending[inside], face.moved(-float(left), -float(top)))


def save_cutout(cutout: Cutout, file: Path | BinaryIO) -> None:
    """One PNG (RGBA) that carries the face's box as text. Whoever calls makes the write atomic."""
    alpha = np.round(cutout.matte * 255).astype(np.uint8)
    info = PngImagePlugin.PngInfo()
    info.add_text(FACE_KEY, json.dumps(asdict(cutout.face)))
    Image.fromarray(np.dstack([cutout.pixels, alpha])).save(file, "PNG", pnginfo=info, compress_level=4)


def load_cutout(file: Path | BinaryIO) -> Cutout:
    """What `save_cutout` wrote. ValueError for anything else."""
    with Image.open(file, formats=("PNG",)) as image:
        image.load()
        text = image.info.get(FACE_KEY)
        if image.mode != "RGBA" or text is None:
            raise ValueError("not a stored cut-out")
        pixels = np.asarray(image)
    matte = pixels[..., 3].astype(np.float32) / np.float32(255)
    return Cutout(np.ascontiguousarray(pixels[..., :3]), matte, Box(**json.loads(text)))


def _end_softly(matte: Floats, face: Box) -> Floats:
    """Let a person who leaves the photo at its left or right fade out along a curve instead of at a straight line."""
    height, width = matte.shape
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None]
    bend = 0.55 + 0.45 * np.sin(2.4 * y + 0.6) + 0.08 * np.sin(23 * y)
    ended = matte.copy()
    for away, column in ((x, matte[:, :2]), (width - 1 - x, matte[:, -2:])):
        if column.max() > 0.5:
            reach = np.maximum(4.0, 0.35 * face.width * bend)
            ended = ended * _smooth(away / reach)
    return ended


def _smooth(share: Floats) -> Floats:
    """From 0 to 1 without a corner at either end."""
    t = np.clip(share, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _colors_from_inside(photo: Pixels, matte: Floats) -> Pixels:
    """Where the old background shows through the edge, the color of the nearest part of the person instead."""
    sure = (matte > 0.95).astype(np.float32)
    sigma = max(2.0, min(photo.shape[:2]) / 120)
    weight = cv2.GaussianBlur(sure, (0, 0), sigma)[..., None]
    spread = cv2.GaussianBlur(photo.astype(np.float32) * sure[..., None], (0, 0), sigma) / np.maximum(weight, 1e-3)
    trust = np.clip((matte - 0.5) / 0.45, 0, 1)[..., None]
    trust = np.where(weight > 1e-2, trust, 1)
    return np.clip(photo * trust + spread * (1 - trust), 0, 255).astype(np.uint8)
