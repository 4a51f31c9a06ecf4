"""Pictures that a request brings, whatever way.

Each is read here before a provider is asked, in threads of its own: at most two are decoded at once, so that memory
stays bounded and nothing else waits.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from gateway.images import Picture
from shared.errors import TooLarge
from shared.pictures import encode_picture, read_picture
from shared.references import MOST_BYTES

ORIENTATION = 0x0112
"""EXIF: how the camera was held."""
PLAIN = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""What every provider reads; anything else is made a PNG."""
PLAIN_MODES = ("RGB", "RGBA", "L", "P")
THREADS = ThreadPoolExecutor(2, thread_name_prefix="pictures")


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture that was read."""

    picture: Picture
    size: tuple[int, int]
    """(width, height), upright."""
    transparent: bool


async def see(data: bytes, param: str) -> Seen:
    """Raises InvalidRequest or TooLarge on `param`."""
    if len(data) > MOST_BYTES:
        raise TooLarge(f"a picture may have {MOST_BYTES} bytes", param=param, code="image_too_large")
    return await asyncio.get_running_loop().run_in_executor(THREADS, _see, data, param)


def _see(data: bytes, param: str) -> Seen:
    image = read_picture(data, param)
    with Image.open(io.BytesIO(data)) as header:
        kind = PLAIN.get(header.format or "")
        plain = kind and header.mode in PLAIN_MODES and header.getexif().get(ORIENTATION, 1) == 1
    if not plain:
        kind, data = "image/png", encode_picture(image)
    picture = Picture(f"{param.partition('[')[0]}.{(kind or '').partition('/')[2]}", kind or "", data)
    return Seen(picture, image.size, image.mode == "RGBA")
