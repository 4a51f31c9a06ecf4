"""The image service over HTTP: OpenAI's generations, edits, variations and models.

python -m ml_image.serve --model NAME
"""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ml_image import forms
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared.app import create_app
from shared.asgi import Receive, Scope, Send
from shared.errors import InvalidRequest, NotFound, NotReady, ServiceError
from shared.events import send_events, while_connected
from shared.jobs.desk import Desk
from shared.jobs.requests import Trainer
from shared.jobs.routes import TheCaller
from shared.jobs.routes import router as fine_tuning
from shared.logs import configure_logging
from shared.sources.routes import model_fields
from shared.sources.routes import router as models
from shared.wire.images import ImageGenerate, ImageRequest, ImagesResponse, ImageVariation
from shared.wire.models import ModelDetails

if TYPE_CHECKING:
    from ml_image.engine import Engine

log = logging.getLogger(__name__)
router = APIRouter()


class Service:
    """What the routes share. torch is imported in the background, so /health answers at once."""

    def __init__(self, settings: ImageSettings, sources: Sources, preload: str) -> None:
        self.settings, self.sources, self.preload = settings, sources, preload
        self.engine: Engine | None = None
        self.replies: Any = None
        self.state = "the model is being loaded"
        self.ready = False

    async def start(self, registry: CollectorRegistry) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, "ml_image.engine")
            self.replies = importlib.import_module("ml_image.replies")
            engine = self.engine = module.Engine(self.settings, self.sources, self.preload)
            metrics = importlib.import_module("ml_image.metrics")
            registry.register(metrics.EngineMetrics(lambda: engine.pool.residents))
            await engine.load(self.preload)
            self.ready = True
        except ServiceError as error:
            self.state = f"{self.preload} cannot be loaded: {error}"
            log.error(self.state)
        except Exception:
            self.state = f"{self.preload} cannot be loaded: internal error"
            log.exception(self.state)

    def check_base(self, model: str) -> None:
        """Whether it can be trained on. Raises NotFound, or InvalidRequest for an adapter."""
        source = self.sources.find(model)
        if source.base:
            raise InvalidRequest(f"{model} is itself an adapter; train on its base {source.base}", param="model")


def trainers() -> Mapping[str, Trainer]:
    return importlib.import_module("ml_image.trainers").TRAINERS  # loads torch


def get_service(request: Request) -> Service:
    service: Service = request.app.state.service
    if service.engine is None:
        raise NotReady(service.state, retry_after_s=2)
    return service


TheService = Annotated[Service, Depends(get_service)]


@router.get("/ready", tags=["health"])
async def ready(request: Request) -> dict[str, str]:
    """The model named at the start is in memory."""
    service: Service = request.app.state.service
    if not service.ready:
        raise NotReady(service.state, retry_after_s=2)
    return {"status": "ready"}


@router.post("/v1/images/generations", response_model=ImagesResponse)
async def generate(body: ImageGenerate, request: Request, service: TheService) -> Response:
    """OpenAI's images, with `steps`, `guidance`, `negative_prompt`, `seed` and `style` besides."""
    return await _answer(service, request, service.replies.from_words(body), body)


@router.post("/v1/images/edits", response_model=ImagesResponse)
async def edit(request: Request, service: TheService, who: TheCaller) -> Response:
    """A form with `image` and perhaps `mask`, or JSON with `images: [{image_url or file_id}]`; what the mask leaves
    opaque keeps its very pixels."""
    desk: Desk = request.app.state.desk
    body, edit = await forms.read_edit(request.receive, request.scope, (desk.files, who.owner))
    return await _answer(service, request, service.replies.from_words(body, edit), body)


@router.post("/v1/images/variations", response_model=ImagesResponse)
async def vary(request: Request, service: TheService) -> Response:
    """A form with `image`: pictures like it."""
    body, picture = await forms.read_variation(request.receive, request.scope)
    return await _answer(service, request, service.replies.from_picture(body, picture), body)


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


async def _answer(service: Service, request: Request, wanted: Any, body: ImageRequest | ImageVariation) -> Response:
    if isinstance(body, ImageRequest) and body.stream:
        return PictureStream(service.replies.image_events(service.engine, wanted, body))
    async with while_connected(request.receive):
        answer = await service.replies.images(service.engine, wanted, body)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/v1/models/{id:path}")
async def model(id: str, service: TheService) -> ModelDetails:
    return await _details(service.engine, id)


@router.post("/v1/models/{id:path}/load")
async def load(id: str, service: TheService) -> ModelDetails:
    """Bring the model into memory now; 507 when it does not fit."""
    engine: Any = service.engine
    await engine.load(id)
    return await _details(engine, id)


async def _details(engine: Any, name: str) -> ModelDetails:
    source, facts, loaded = await engine.look(name)
    return ModelDetails(
        **model_fields(source),
        family=facts.family,
        parameters=facts.parameters,
        dtype=str(facts.dtype).removeprefix("torch."),
        loaded=loaded,
    )


def create_service(settings: ImageSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
    """The app; the model `preload` is loaded when it starts, and answers requests that name none."""
    service = Service(settings, sources or Sources(settings), preload or settings.model)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(service.start(app.state.registry))
        yield
        starting.cancel()
        app.state.desk.close()
        if service.engine:
            await service.engine.close()

    app = create_app(
        "Image service",
        routers=[models, router, fine_tuning],
        lifespan=lifespan,
        body_limit_bytes=forms.JSON_BYTES,
        streamed_limits={"/v1/images/(edits|variations)": forms.FORM_BYTES},
    )
    app.state.service, app.state.sources = service, service.sources
    app.state.desk = Desk("image", settings.shared, trainers, service.check_base)
    return app


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ml_image.serve", description=__doc__)
    parser.add_argument("--model", help="a published name, a short name such as sdxl, a hub repo, or a folder")
    parser.add_argument("--use-lora", "--use_lora", action="store_true", help="serve its newest published adapter")
    parser.add_argument("--adapter", help="serve this published adapter")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--quantize", choices=["nf4", "int8"])
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    import uvicorn

    args = parse(argv)
    given = {
        name: value for name in ("model", "host", "port", "quantize") if (value := getattr(args, name)) is not None
    }
    settings = ImageSettings(**given)
    configure_logging(settings.shared.log_level)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before torch is imported
    sources = Sources(settings)
    try:
        preload = choose(sources, settings.model, args.adapter, args.use_lora)
    except NotFound as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    uvicorn.run(create_service(settings, sources, preload), host=settings.host, port=settings.port, log_config=None)
    return 0


def choose(sources: Sources, model: str, adapter: str | None, use_lora: bool) -> str:
    """The name that answers requests without one. NotFound, with where to put it, when it is nowhere."""
    base = sources.fetch(model)
    if adapter:
        return sources.find(adapter).name
    return sources.newest_adapter(base.name).name if use_lora else base.name


if __name__ == "__main__":
    sys.exit(main())
