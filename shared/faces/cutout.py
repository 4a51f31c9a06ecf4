"""A person without her background, and the one file that keeps her."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from shared.faces.detect import choose_face
from shared.faces.matte import find_matte, own_colors
from shared.faces.types import Box, Floats, Pixels
from shared.pictures import on_white

FACE_KEY = "face"
"""The PNG's text chunk with the face's box."""
ABOVE, BELOW, BESIDE = 1.8, 2.2, 2.6
"""Face heights and widths from the middle of the face that are looked at: hats and hair above, the chest below."""
CORE_X, CORE_Y = 0.40, 0.52
"""The inner face is an ellipse with these shares of the face's box as radii."""
LARGEST_FACE_PX = 512
SHORT_CUT = 0.1
"""Face widths of the photo's frame that nobody sees as a straight line."""


@dataclass(frozen=True)
class Cutout:
    pixels: Pixels
    """(H, W, 3) RGB; at the edge and outside the person's own colors, not the old background's."""
    matte: Floats
    """(H, W) in [0, 1]: how much of each pixel is the person."""
    face: Box


def cut_out(photo: Image.Image, index: int | None = None) -> Cutout:
    """Head and chest of the person whose face is the only one, or number `index` of `find_faces`.

    Raises InvalidRequest as `choose_face` does. Of large photos it keeps a face of LARGEST_FACE_PX.
    """
    pixels = np.asarray(on_white(photo))
    face = choose_face(photo, index).box
    pixels, face = find_bust(pixels, face)
    matte = _ended(find_matte(pixels, face), face)
    matte[inner_face(matte.shape[0], matte.shape[1], face, margin=0.03) > 0] = 1
    own = own_colors(pixels, matte, face)
    rows, columns = np.where(matte.max(1) > 0.02)[0], np.where(matte.max(0) > 0.02)[0]
    inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return Cutout(own[inside], matte[inside], face.moved(-float(columns[0]), -float(rows[0])))


def inner_face(height: int, width: int, face: Box, margin: float = 0) -> Floats:
    """(height, width): 1 where pixels stay what they were, brows to chin and cheek to cheek, else 0; `margin` in face
    widths more."""
    mask = np.zeros((height, width), np.float32)
    radii = (round((CORE_X + margin) * face.width), round((CORE_Y + margin) * face.height))
    cv2.ellipse(mask, (round(face.center_x), round(face.center_y)), radii, 0, 0, 360, (1.0,), -1)
    return mask


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


def find_bust(photo: Pixels, face: Box) -> tuple[Pixels, Box]:
    """The part of the photo that may hold head and chest."""
    top, low = max(0, round(face.center_y - ABOVE * face.height)), round(face.center_y + BELOW * face.height)
    left, right = max(0, round(face.center_x - BESIDE * face.width)), round(face.center_x + BESIDE * face.width)
    part, face = photo[top:low, left:right], face.moved(-left, -top)
    scale = min(1.0, LARGEST_FACE_PX / face.width)
    if scale < 1:
        size = (round(part.shape[1] * scale), round(part.shape[0] * scale))
        part, face = cv2.resize(part, size, interpolation=cv2.INTER_AREA), face.scaled(scale)
    return np.ascontiguousarray(part), face


def _ended(matte: Floats, face: Box) -> Floats:
    """Where the photo's frame cut the person at a side or above, round her off: a straight line gives a paste away.

    At a side the new edge runs inwards like a sleeve, with folds; above like a head. Below she stands on the edge of
    the picture that she comes into.
    """
    ended = matte
    for turned in (ended, ended[:, ::-1]):  # views: what is written to them is written to `ended`
        cut = np.where(turned[:, 0] > 0.5)[0]
        if len(cut) > SHORT_CUT * face.width:
            down = (np.arange(len(turned), dtype=np.float32) - cut[0]) / face.width
            inset = 0.03 * (1 - np.exp(-4 * down)) + 0.04 * down + 0.006 * np.sin(30 * down) * np.minimum(1, 2 * down)
            edge = np.where(down >= 0, face.width * inset, -1e4)[:, None]
            turned *= _step(np.arange(turned.shape[1], dtype=np.float32)[None] - edge, face)
    cut = np.where(ended[0] > 0.5)[0]
    if len(cut) > SHORT_CUT * face.width:
        across = (np.arange(ended.shape[1], dtype=np.float32) - cut.mean()) / max(1.0, np.ptp(cut) / 2)
        edge = face.width * (0.02 + 0.16 * np.square(across))[None]
        ended *= _step(np.arange(len(ended), dtype=np.float32)[:, None] - edge, face)
    return ended


def _step(beyond_px: Floats, face: Box) -> Floats:
    """From 0 to 1 around 0 px, over about as much as a lens blurs an edge."""
    return np.clip(beyond_px / max(1.5, 0.012 * face.width) + 0.5, 0, 1, dtype=np.float32)
