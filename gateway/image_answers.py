"""What goes back to the client: pictures in base64 or behind an address, whole or as events."""

import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol, cast

import orjson
from fastapi import Request, Response

from gateway.events import Events
from gateway.generated import image_type, keep, signed_url
from gateway.image_events import write_event
from gateway.image_requests import Asked
from gateway.images import ImageCall, Images, Json
from gateway.keys import Key
from shared.errors import InvalidRequest, UpstreamFailed
from shared.events import while_connected

URL_S = 3600
"""How long an address is good, as OpenAI's are."""


class Finish(Protocol):
    """What happens to each picture before it leaves, such as a face that is put in."""

    @property
    def says(self) -> Mapping[str, str]:
        """What the answer says of a finished picture, such as its `output_format`."""
        ...

    async def __call__(self, b64: str) -> str:
        """From base64 to base64. Raises ServiceErrors."""
        ...


async def answer(request: Request, key: Key, asked: Asked, finish: Finish | None = None) -> Response:
    """Raises ServiceErrors."""
    images = await admitted(request, key)
    if getattr(asked.wanted, "stream", None):
        if asked.wanted.response_format == "url":
            raise InvalidRequest("a stream brings its pictures in base64, not as URLs", param="response_format")
        return Events(_events(images, asked.call, finish))
    async with while_connected(request.receive):
        made = await whole(images, asked.call, finish)
        if asked.wanted.response_format == "url":
            await _put_away(request, key, made)
    return Response(orjson.dumps(made), media_type="application/json")


async def admitted(request: Request, key: Key) -> Images:
    """Raises UnsupportedByProvider where there are no images, Overloaded for a key that made enough."""
    images: Images = request.app.state.adapter.offered_images()
    await request.app.state.limits.check(key, "images", request.scope["response_headers"])
    return images


async def whole(images: Images, call: ImageCall, finish: Finish | None = None) -> Json:
    """OpenAI's answer, its pictures finished."""
    made = await images.answer(call)
    if finish:
        for image in made["data"]:
            image["b64_json"] = await finish(image["b64_json"])
        made.update(finish.says)
    return made


def pictures(made: Json) -> list[bytes]:
    """Raises UpstreamFailed."""
    return [_decoded(image["b64_json"]) for image in cast(list[Any], made["data"])]


async def _events(images: Images, call: ImageCall, finish: Finish | None) -> AsyncGenerator[bytes, None]:
    async with aclosing(images.stream(call)) as events:
        async for event in events:
            if finish and event["type"].endswith(".completed"):
                event.update(finish.says, b64_json=await finish(event["b64_json"]))
            yield write_event(event)


async def _put_away(request: Request, key: Key, made: Json) -> None:
    """Each picture into a file of the key's, and its address in its place."""
    files = request.app.state.files
    for image, data in zip(made["data"], pictures(made), strict=True):
        file = await keep(files, key.id, data, image_type(data), URL_S)
        del image["b64_json"]
        image["url"] = signed_url(request, file)


def _decoded(b64: str) -> bytes:
    try:
        return base64.b64decode(b64, validate=True)
    except ValueError as error:
        raise UpstreamFailed("the upstream's picture is not base64") from error
