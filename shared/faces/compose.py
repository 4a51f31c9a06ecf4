"""A person from one photo in another picture: her face as it was taken, everything around it in the picture's light.

What makes a paste look pasted is the color of its edge and its light. So the colors of half-covered pixels are taken
from inside the person, her clothes and hair move towards the picture's tone (after Reinhard et al. 2001,
https://doi.org/10.1109/38.946629), and the picture's light wraps around her outline. Each of these fades to nothing
before it reaches the inner face, whose pixels stay what they were. Poisson blending (seamlessClone) is not used: it
recolors the face.
"""

import math

import cv2
import numpy as np
from PIL import Image

from shared.errors import InvalidRequest
from shared.faces.cutout import Cutout
from shared.faces.place import Placed, Placement, place
from shared.faces.types import Floats, Pixels
from shared.pictures import on_white

SHIFT = 0.45
"""How far the tone moves towards the picture's at `blend` 1."""
WRAP = 0.5
FADE = 0.55
"""Face widths from the inner face within which the shift grows to two thirds."""
DEFAULT_BLEND = 0.7
LIGHT_PX = 256
"""A picture of so many pixels a side tells its light."""


def compose(
    cutout: Cutout, picture: Image.Image, placement: Placement | None = None, blend: float = DEFAULT_BLEND
) -> Image.Image:
    """The picture, as RGB, with the person in it. `blend` in [0, 1]: how much of its light hair, neck and clothes take.

    Raises InvalidRequest on `face_blend` and `placement`.
    """
    if not (math.isfinite(blend) and 0 <= blend <= 1):
        raise InvalidRequest("face_blend is 0 to 1", param="face_blend")
    placed = place(cutout, picture.width, picture.height, placement or Placement())
    whole = np.array(on_white(picture))
    behind = whole[placed.where].astype(np.float32)
    person = placed.pixels
    if blend > 0:
        size = (min(LIGHT_PX, picture.width), min(LIGHT_PX, picture.height))
        person = _in_light(placed, behind, cv2.resize(whole, size, interpolation=cv2.INTER_AREA), blend)
    alpha = placed.matte[..., None]
    whole[placed.where] = np.clip(person * alpha + behind * (1 - alpha) + 0.5, 0, 255)
    return Image.fromarray(whole)


def placed_mask(
    cutout: Cutout, width: int, height: int, placement: Placement | None = None
) -> tuple[Image.Image, Image.Image]:
    """For inpainting: the person (RGB) on mid grey, and the mask (L) of what to repaint: 255 around her, 0 on her.

    Models send her pixels through their autoencoder too, so `compose` onto what they made puts the true ones back.
    """
    placed = place(cutout, width, height, placement or Placement())
    alpha = placed.matte[..., None]
    start, mask = np.full((height, width, 3), 128, np.uint8), np.full((height, width), 255, np.uint8)
    start[placed.where] = np.round(placed.pixels * alpha + 128 * (1 - alpha))
    mask[placed.where] = np.round((1 - placed.matte) * 255)
    return Image.fromarray(start), Image.fromarray(mask)


def _in_light(placed: Placed, behind: Floats, light: Pixels, blend: float) -> Floats:
    """The person's pixels in the light of the picture `light`; `behind` is the part of it that she covers."""
    away = cv2.distanceTransform((placed.core < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    change = blend * (1 - np.exp(-((away / (FADE * placed.face.width)) ** 2)))[..., None]
    toned = placed.pixels + (_toned(placed, light) - placed.pixels) * change
    soft = max(1.0, placed.face.width / 11)
    outline = cv2.GaussianBlur(1 - placed.matte, (0, 0), soft) * placed.matte * (1 - placed.core)
    wrap = np.clip(outline * WRAP * blend, 0, WRAP)[..., None] * (change / blend)
    return toned * (1 - wrap) + cv2.GaussianBlur(behind, (0, 0), 1.4 * soft) * wrap


def _toned(placed: Placed, light: Pixels) -> Floats:
    """The person with mean and, in part, contrast of the picture, in Lab."""
    person = cv2.cvtColor(placed.pixels / np.float32(255), cv2.COLOR_RGB2LAB)
    around = cv2.cvtColor(light.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    inside = placed.matte > 0.5
    own_mean, own_spread = person[inside].mean(0), person[inside].std(0) + 1e-3
    mean, spread = around.mean((0, 1)), around.std((0, 1))
    contrast = np.clip(0.75 + 0.25 * spread / own_spread, 0.6, 1.15)
    shifted = (person - own_mean) * contrast + own_mean + SHIFT * (mean - own_mean)
    return np.clip(cv2.cvtColor(shifted.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1) * 255
