"""Pictures that two providers make from the same words, to be compared. What is kept of each is small."""

import base64
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import replace

import orjson

from gateway.adapters.shadowed import Shadowed, Told
from gateway.images import ImageCall, Images, Json
from gateway.text import Body
from shared.errors import InvalidRequest, UpstreamFailed
from shared.pictures import encode_picture, read_picture

COMPARED = "generations"
"""Edits and variations are not: the record would lack the picture that they began with."""
SIDE, QUALITY = 512, 80
"""Pixels of the longer side, and WebP's quality, of what is kept."""
MOST = 4
"""Pictures that are kept of an answer: more would fill the disk with rows that look alike."""


class ShadowImages(Shadowed[Images]):
    """Streams are the first's alone."""

    async def answer(self, call: ImageCall) -> Json:
        request = self.sampled(call.fields) if call.operation == COMPARED else None
        if request is None:
            return await self.first.answer(call)

        def ask(asked: Body) -> Awaitable[bytes]:
            return _as_bytes(self.second, replace(call, fields=asked))

        answering = _as_bytes(self.first, call)
        path = f"images/{COMPARED}"
        return orjson.loads(await self.answer_both(path, call.fields, request, answering, ask, _told))

    def stream(self, call: ImageCall) -> AsyncGenerator[Json, None]:
        return self.first.stream(call)


async def _as_bytes(images: Images, call: ImageCall) -> bytes:
    return orjson.dumps(await images.answer(call))


def _told(raw: bytes) -> Told:
    """A data URL per picture, one a line."""
    return "\n".join(_small(str(made["b64_json"])) for made in orjson.loads(raw)["data"][:MOST]), None


def _small(b64: str) -> str:
    try:
        picture = read_picture(base64.b64decode(b64))
    except (ValueError, InvalidRequest) as error:
        raise UpstreamFailed("the upstream's picture cannot be read") from error
    picture.thumbnail((SIDE, SIDE))
    data = encode_picture(picture, "webp", QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
