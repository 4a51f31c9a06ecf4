"""OpenAI's images in and out of the engine: requests to what it knows, pictures to JSON and events."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Literal

from PIL.Image import Image as Picture

from ml_image.edits import Edit
from ml_image.engine import Answer, Engine, Request
from shared.errors import InvalidRequest
from shared.pictures import Encoding, encode_picture
from shared.wire.images import (
    CompletedImage,
    EditFields,
    Image,
    ImageRequest,
    ImagesResponse,
    ImageUsage,
    ImageVariation,
    PartialImage,
    TokenDetails,
)

VARIATION = 0.6
"""How far a variation goes from its picture."""
UNGUIDED = 1.0
Event = PartialImage | CompletedImage
Kind = Literal["image_edit", "image_generation"]


def from_words(body: ImageRequest, edit: Edit | None = None) -> Request:
    """Raises InvalidRequest for what no model here can do."""
    if body.background == "transparent":
        raise InvalidRequest("pictures are opaque here; leave out background", param="background")
    if body.response_format == "url":
        raise InvalidRequest("this service answers b64_json; the gateway has URLs", param="response_format")
    return Request(
        prompt=body.prompt,
        model=body.model,
        n=body.n or 1,
        size=body.dimensions,
        negative=body.negative_prompt or "",
        steps=body.steps,
        guidance=body.guidance,
        seed=body.seed,
        style=body.style,
        edit=edit,
        previews=(body.partial_images or 0) if body.stream else 0,
    )


def from_picture(body: ImageVariation, picture: Picture) -> Request:
    """A picture like another one: without words there is nothing to be guided by."""
    if body.response_format == "url":
        raise InvalidRequest("this service answers b64_json; the gateway has URLs", param="response_format")
    edit = Edit(picture.convert("RGB"), strength=body.strength or VARIATION)
    return Request(
        prompt="",
        model=body.model,
        n=body.n or 1,
        size=body.dimensions,
        guidance=UNGUIDED,
        seed=body.seed,
        edit=edit,
    )


async def images(engine: Engine, request: Request, body: ImageRequest | ImageVariation) -> ImagesResponse:
    """All pictures of a request, in order."""
    encoding, quality = _encoding(body)
    async with engine.open(request) as answer:
        found: dict[int, str] = {}
        async for shown in answer:
            found[shown.index] = await asyncio.to_thread(_encode, shown.picture, encoding, quality)
    data = [Image(b64_json=found[index], seed=seed) for index, seed in enumerate(answer.seeds)]
    return ImagesResponse(
        created=int(time.time()),
        data=data,
        background="opaque",
        output_format=encoding,
        size=f"{answer.width}x{answer.height}",
        usage=_usage(request, len(data)),
        model=answer.model,
    )


async def image_events(engine: Engine, request: Request, body: ImageRequest) -> AsyncIterator[Event]:
    """One picture's previews and its end, then the next one's, though they are made at the same time."""
    encoding, quality = _encoding(body)
    kind: Kind = "image_edit" if isinstance(body, EditFields) else "image_generation"
    async with engine.open(request) as answer:
        held: dict[int, list[Event]] = {index: [] for index in range(request.n)}
        at = 0
        async for shown in answer:
            text = await asyncio.to_thread(_encode, shown.picture, encoding, quality)
            held[shown.index].append(_event(kind, text, encoding, answer, request, shown.index, shown.preview))
            while at < request.n and held[at]:
                event = held[at].pop(0)
                yield event
                at += isinstance(event, CompletedImage)


def _event(
    kind: Kind,
    text: str,
    encoding: Encoding,
    answer: Answer,
    request: Request,
    index: int,
    preview: int | None,
) -> Event:
    now, size = int(time.time()), f"{answer.width}x{answer.height}"
    if preview is not None:
        return PartialImage(
            type="image_edit.partial_image" if kind == "image_edit" else "image_generation.partial_image",
            b64_json=text,
            partial_image_index=preview,
            created_at=now,
            output_format=encoding,
            size=size,
        )
    return CompletedImage(
        type="image_edit.completed" if kind == "image_edit" else "image_generation.completed",
        b64_json=text,
        created_at=now,
        output_format=encoding,
        size=size,
        usage=_usage(request, 1),
        model=answer.model,
        seed=answer.seeds[index],
    )


def _encoding(body: ImageRequest | ImageVariation) -> tuple[Encoding, int | None]:
    quality = getattr(body, "output_compression", None)
    return body.output_format or "png", None if quality is None else max(1, quality)


def _encode(picture: Picture, encoding: Encoding, quality: int | None) -> str:
    return base64.b64encode(encode_picture(picture, encoding, quality)).decode()


def _usage(request: Request, pictures: int) -> ImageUsage:
    """There are no tokens to count: pictures are counted as one each."""
    return ImageUsage(
        output_tokens=pictures,
        total_tokens=pictures,
        input_tokens_details=TokenDetails(image_tokens=int(request.edit is not None)),
    )
