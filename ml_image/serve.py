"""The image service over HTTP: OpenAI's generations, edits, variations and models.

python -m ml_image.serve --model NAME
"""

import contextlib
import importlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ml_image import forms
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared import serving
from shared.asgi import Receive, Scope, Send
from shared.events import send_events, while_connected
from shared.jobs.desk import Desk
from shared.jobs.routes import TheCaller
from shared.serving import Service, TheEngine
from shared.wire.images import ImageGenerate, ImageRequest, ImagesResponse, ImageVariation

router = APIRouter()


@router.post("/v1/images/generations", response_model=ImagesResponse)
async def generate(body: ImageGenerate, request: Request, engine: TheEngine) -> Response:
    """OpenAI's images, with `steps`, `guidance`, `negative_prompt`, `seed` and `style` besides."""
    return await _answer(engine, request, replies().from_words(body), body)


@router.post("/v1/images/edits", response_model=ImagesResponse)
async def edit(request: Request, engine: TheEngine, who: TheCaller) -> Response:
    """A form with `image` and perhaps `mask`, or JSON with `images: [{image_url or file_id}]`; what the mask leaves
    opaque keeps its very pixels."""
    desk: Desk = request.app.state.desk
    body, edit = await forms.read_edit(request.receive, request.scope, (desk.files, who.owner))
    return await _answer(engine, request, replies().from_words(body, edit), body)


@router.post("/v1/images/variations", response_model=ImagesResponse)
async def vary(request: Request, engine: TheEngine) -> Response:
    """A form with `image`: pictures like it."""
    body, picture = await forms.read_variation(request.receive, request.scope)
    return await _answer(engine, request, replies().from_picture(body, picture), body)


class PictureStream(Response):
    """`events` by their type, as OpenAI's streams of pictures are: nothing follows the last."""

    def __init__(self, events: AsyncIterator[BaseModel]) -> None:
        super().__init__(media_type="text/event-stream")
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(scope, receive, send, self._blocks())

    async def _blocks(self) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(cast(AsyncGenerator[BaseModel, None], self.events)) as events:
            async for event in events:
                name: str = getattr(event, "type", "")
                yield f"event: {name}\ndata: {event.model_dump_json()}\n\n".encode()


async def _answer(engine: Any, request: Request, wanted: Any, body: ImageRequest | ImageVariation) -> Response:
    if isinstance(body, ImageRequest) and body.stream:
        return PictureStream(replies().image_events(engine, wanted, body))
    async with while_connected(request.receive):
        answer = await replies().images(engine, wanted, body)
    return Response(answer.model_dump_json(), media_type="application/json")


def replies() -> Any:
    return importlib.import_module("ml_image.replies")  # loads torch


def prepare(engine: Any, registry: CollectorRegistry) -> None:
    replies()  # now, and not in the first request
    metrics = importlib.import_module("ml_image.metrics")
    registry.register(metrics.EngineMetrics(lambda: engine.pool.residents))


def create_service(settings: ImageSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
    """The app; the model `preload` is loaded when it starts, and answers requests that name none."""
    service = Service("ml_image", settings, sources or Sources(settings), preload or settings.model, prepare)
    return serving.create(
        service,
        "Image service",
        router,
        body_limit_bytes=forms.JSON_BYTES,
        streamed_limits={"/v1/images/(edits|variations)": forms.FORM_BYTES},
    )


def main(argv: Sequence[str] | None = None) -> int:
    model = "a published name, a short name such as sdxl, a hub repo, or a folder"
    parser = serving.options("ml_image", __doc__, model)
    parser.add_argument("--quantize", choices=["nf4", "int8"])
    args = parser.parse_args(argv)
    return serving.run(serving.read_settings(ImageSettings, args), Sources, args, create_service)


if __name__ == "__main__":
    sys.exit(main())
