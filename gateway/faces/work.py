"""What the child does. Nothing else of the gateway imports OpenCV."""

import binascii
import io
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from PIL import Image

from shared.errors import InvalidRequest, TooLarge
from shared.faces import Placement, compose, cut_out, load_cutout, save_cutout
from shared.pictures import encode_picture, read_picture

Made = tuple[dict[str, Any], bytes]
KEPT_PX = 2048
"""The longer side of a photo, scaled down to this before the person is cut out: enough for any picture made here."""


def cut(told: dict[str, Any], photo: bytes) -> Made:
    """The person in the photo as `save_cutout` writes her; width, height and the box of the face beside."""
    image = read_picture(_decoded(told, photo), told["param"])
    image.thumbnail((KEPT_PX, KEPT_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    cutout = cut_out(image, told["index"])
    out = io.BytesIO()
    save_cutout(cutout, out)
    height, width = cutout.matte.shape
    return {"width": width, "height": height, "box": astuple(cutout.face)}, out.getvalue()


def put_in(told: dict[str, Any], cutout: bytes, picture: bytes) -> Made:
    """The picture with the person of `cut` in it; its size beside."""
    behind = read_picture(_decoded(told, picture), told["param"])
    if behind.width * behind.height > told["most_pixels"]:
        message = f"{behind.width}x{behind.height} are more than {told['most_pixels']:,} pixels"
        raise TooLarge(message, param=told["param"], code="image_too_large")
    made = compose(load_cutout(io.BytesIO(cutout)), behind, Placement(**told["placement"]), told["blend"])
    data = encode_picture(made, told["format"], told["quality"])
    return {"size": f"{made.width}x{made.height}"}, b64encode(data) if told["answer_base64"] else data


JOBS: dict[str, Callable[..., Made]] = {"cut": cut, "compose": put_in}


def _decoded(told: dict[str, Any], data: bytes) -> bytes:
    if not told["base64"]:
        return data
    try:
        return b64decode(data, validate=True)
    except binascii.Error:
        raise InvalidRequest("it is not valid base64", param=told["param"], code="invalid_image") from None
