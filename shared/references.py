"""The bytes that a request means by reference: a data: URL, a public address, or a file uploaded before."""

import asyncio
import base64
import binascii
from urllib.parse import unquote_to_bytes

from shared.errors import InvalidRequest, TooLarge
from shared.files import FileStore
from shared.http import fetch_public
from shared.wire.images import ImageRef

MOST_BYTES = 50 << 20
"""Of one picture, as OpenAI has it."""
FETCH_S = 20.0


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
