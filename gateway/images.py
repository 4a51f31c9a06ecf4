"""What every image request goes through, whichever provider answers: the model's name, the call, the account."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, cast

import orjson

from gateway.image_events import read_events
from gateway.modality import Modality, Models, OfProvider, Spent
from gateway.names import merged
from gateway.text import Body
from shared.errors import UpstreamFailed

Operation = Literal["generations", "edits", "variations"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A file on its way to a provider; it was looked at already."""

    filename: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ImageCall:
    """One request to an image model. `fields` is what the client said, without the pictures."""

    operation: Operation
    fields: Body
    images: tuple[Picture, ...] = ()
    mask: Picture | None = None


class ImageModel(Models, Protocol):
    """Images of one provider. Errors are ServiceErrors; what it cannot do is refused by the field's name."""

    async def answer(self, call: ImageCall) -> bytes:
        """OpenAI's JSON, with the pictures in base64 whatever `response_format` says."""
        ...

    def stream(self, call: ImageCall) -> AsyncGenerator[bytes, None]:
        """Server-sent events as bytes, cut anywhere; an early failure is raised before the first bytes."""
        ...


class Images(Modality, Protocol):
    """The image operations of the gateway: a provider's, or two providers joined."""

    async def answer(self, call: ImageCall) -> Json:
        """OpenAI's `ImagesResponse`, every picture in it as `b64_json`, and the `model` that answered."""
        ...

    def stream(self, call: ImageCall) -> AsyncGenerator[Json, None]:
        """OpenAI's events, up to the last `….completed`."""
        ...


class ProviderImages(OfProvider[ImageModel]):
    setting = "MODEL_IMAGE"

    async def answer(self, call: ImageCall) -> Json:
        call = await self._named(call)
        answer = _read_answer(await self.models.answer(call))
        model = merged("image", str(answer.get("model") or call.fields["model"]))
        await self._count(model, answer.get("usage"), len(answer["data"]))
        return answer | {"model": model}

    async def stream(self, call: ImageCall) -> AsyncGenerator[Json, None]:
        call = await self._named(call)
        made, begun, usage = 0, False, None
        model = call.fields["model"]
        try:
            async with aclosing(read_events(self.models.stream(call))) as events:
                async for event in events:
                    begun = True
                    if event["type"].endswith(".completed"):
                        made, usage, model = made + 1, event.get("usage") or usage, str(event.get("model") or model)
                    yield event
        finally:
            if begun:  # one that its client left was paid for, too
                await self._count(merged("image", model), usage, max(1, made))
        if not made:
            raise UpstreamFailed("the upstream broke off its answer")

    async def _named(self, call: ImageCall) -> ImageCall:
        return replace(call, fields={**call.fields, "model": await self.resolve(call.fields.get("model"))})

    async def _count(self, model: str, usage: object, images: int) -> None:
        told = cast(Json, usage) if isinstance(usage, dict) else {}
        read, written = (told.get(name) for name in ("input_tokens", "output_tokens"))
        tokens = [value if isinstance(value, int) else 0 for value in (read, written)]
        await self.count(Spent(self.provider, model, tokens[0], tokens[1], images))


def _read_answer(raw: bytes) -> Json:
    try:
        answer = orjson.loads(raw)
        if answer["data"] and all(isinstance(image["b64_json"], str) for image in answer["data"]):
            return answer
    except (ValueError, TypeError, LookupError) as error:
        raise UpstreamFailed("the upstream's answer is not what OpenAI's would be") from error
    raise UpstreamFailed("the upstream's answer has no picture in it")
