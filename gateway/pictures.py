"""Pictures that a request brings: as a file of its form, in a data: URL, at a public address, or uploaded before.

Each is read here before a provider is asked, in threads of its own: at most two are decoded at once, so that memory
stays bounded and nothing else waits.
"""

import asyncio
import base64
import binascii
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from PIL import Image

from gateway.images import Picture
from shared.errors import InvalidRequest, TooLarge
from shared.files import FileStore
from shared.http import fetch_public
from shared.pictures import encode_picture, read_picture
from shared.wire.images import ImageRef

MOST_BYTES = 50 << 20
"""Of one picture, as OpenAI has it."""
FETCH_S = 20.0
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


async def fetch(ref: ImageRef, param: str, files: FileStore, key_id: str, room: int = MOST_BYTES) -> bytes:
    """The bytes that `ref` means, `room` at most. Raises InvalidRequest, TooLarge or NotFound on a field of `param`."""
    most = min(room, MOST_BYTES)
    if ref.file_id is not None:
        return await _uploaded(files, key_id, ref.file_id, f"{param}.file_id", most)
    url, param = ref.image_url or "", f"{param}.image_url"
    if url[:5].lower() == "data:":
        return decode_data_url(url, param)
    return await fetch_public(url, param, most_bytes=most, within_s=FETCH_S)


def decode_data_url(url: str, param: str) -> bytes:
    """RFC 2397. Raises InvalidRequest."""
    head, comma, data = url.partition(",")
    if not comma:
        raise InvalidRequest("not a data: URL: it has no comma", param=param, code="invalid_image_url")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(unquote_to_bytes(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"not base64: {error}", param=param, code="invalid_image_url") from None


async def _uploaded(files: FileStore, key_id: str, id: str, param: str, most: int) -> bytes:
    file = files.get(key_id, id, param)
    if file.size_bytes > most:
        raise TooLarge(f"no more than {most} bytes of pictures", param=param, code="image_too_large")
    with files.open(key_id, id)[1] as opened:
        return await asyncio.to_thread(opened.read)


def _see(data: bytes, param: str) -> Seen:
    image = read_picture(data, param)
    with Image.open(io.BytesIO(data)) as header:
        kind = PLAIN.get(header.format or "")
        plain = kind and header.mode in PLAIN_MODES and header.getexif().get(ORIENTATION, 1) == 1
    if not plain:
        kind, data = "image/png", encode_picture(image)
    picture = Picture(f"{param.partition('[')[0]}.{(kind or '').partition('/')[2]}", kind or "", data)
    return Seen(picture, image.size, image.mode == "RGBA")
