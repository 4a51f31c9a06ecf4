"""What an edit starts from, and putting back what it may not change."""

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

from ml_image import sizes
from ml_image.sizes import Plan
from shared.errors import InvalidRequest

SEAM = 128
"""The seam is as wide as a 128th of the shorter side, and lies inside of what may change."""


@dataclass(frozen=True)
class Edit:
    """`picture` as it was sent, RGB or RGBA. `mask`: of the same size; where it is transparent the picture may change.
    None: where `picture` itself is transparent, or everywhere."""

    picture: Image.Image
    mask: Image.Image | None = None
    strength: float | None = None
    """How far from the picture, (0, 1]; None: WHOLE, and all the way inside a mask."""


WHOLE = 0.75
CLEAR = [255 if alpha <= 127 else 0 for alpha in range(256)]
ANY = [255 if value else 0 for value in range(256)]
MOST = [255 if value > 127 else 0 for value in range(256)]
INNER = [max(0, min(255, (value - 128) * 2 + 16)) for value in range(256)]
"""Of a blurred edge the inner half; the blur's rounding must not show where it ends."""


@dataclass(frozen=True)
class Start:
    """What an edit starts from: RGB at the size that is made, and a mask (L, 255 where it may change) or None."""

    picture: Image.Image
    mask: Image.Image | None
    strength: float


def changing(edit: Edit) -> Image.Image | None:
    """L, 255 where the picture may change; None: everywhere. Raises InvalidRequest."""
    mask = edit.mask
    if mask is not None and mask.size != edit.picture.size:
        raise InvalidRequest(
            f"the mask is {mask.width}x{mask.height} and the picture {edit.picture.width}x{edit.picture.height}",
            param="mask",
        )
    if mask is not None and mask.mode != "RGBA":
        raise InvalidRequest("the mask has no transparent part, and so nothing to change", param="mask")
    source = mask or (edit.picture if edit.picture.mode == "RGBA" else None)
    if source is None:
        return None
    found = source.getchannel("A").point(CLEAR)
    if found.getbbox():
        return found
    if mask is not None:
        raise InvalidRequest("the mask has no transparent part, and so nothing to change", param="mask")
    return None


def start(edit: Edit, mask: Image.Image | None, plan: Plan) -> Start:
    """At the size that is made."""
    size = (plan.made_width, plan.made_height)
    strength = edit.strength or (WHOLE if mask is None else 1.0)
    small = sizes.fit(mask, *size).point(ANY) if mask else None
    return Start(sizes.fit(edit.picture.convert("RGB"), *size), small, strength)


def put_back(made: Image.Image, edit: Edit, mask: Image.Image | None, plan: Plan) -> Image.Image:
    """`made` at the size of the answer, with the picture's own pixels wherever it may not change."""
    size = (plan.width, plan.height)
    if mask is None:
        return made
    there = sizes.fit(mask, *size).point(MOST)
    soft = there.filter(ImageFilter.GaussianBlur(max(1.0, min(size) / SEAM)))
    # 0 outside, 255 well inside: blurred towards the inside alone
    inside = ImageChops.darker(there, soft.point(INNER))
    original = sizes.fit(edit.picture.convert("RGB"), *size)
    return Image.composite(made, original, inside)
