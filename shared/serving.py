"""What a model service is beneath its own routes: an engine that loads in the background, models by name, jobs.

A package `ml_X` has `engine.Engine(settings, sources, default)` with `load`, `look` and `close`, and
`trainers.TRAINERS`. Both load torch, so they are imported when they are needed and not before.
"""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request
from prometheus_client import CollectorRegistry

from shared.app import create_app
from shared.errors import InvalidRequest, NotFound, NotReady, ServiceError
from shared.jobs.desk import Desk
from shared.jobs.requests import Trainer
from shared.jobs.routes import router as fine_tuning
from shared.logs import configure_logging
from shared.settings import ServiceSettings
from shared.sources import Sources
from shared.sources.routes import model_fields
from shared.sources.routes import router as models
from shared.wire.models import ModelDetails

log = logging.getLogger(__name__)
router = APIRouter()
S = TypeVar("S", bound=ServiceSettings)
M = TypeVar("M", bound=Sources)


def nothing_else(engine: Any, registry: CollectorRegistry) -> None:
    """For a service that has no figures of its own."""


@dataclass
class Service:
    """What the routes share. torch is imported in the background, so /health answers at once."""

    package: str
    settings: ServiceSettings
    sources: Sources
    preload: str
    """Loaded when the app starts; answers requests that name no model."""
    opened: Callable[[Any, CollectorRegistry], None] = nothing_else
    """Called with the engine before any request gets it."""
    engine: Any = field(default=None, init=False)
    state: str = field(default="the model is being loaded", init=False)
    ready: bool = field(default=False, init=False)

    async def start(self, registry: CollectorRegistry) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, f"{self.package}.engine")
            engine = self.engine = module.Engine(self.settings, self.sources, self.preload)
            self.opened(engine, registry)
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

    def trainers(self) -> Mapping[str, Trainer]:
        return importlib.import_module(f"{self.package}.trainers").TRAINERS


def create(service: Service, title: str, own: APIRouter, **limits: Any) -> FastAPI:
    """The app of `service` with its `own` routes, fine-tuning and models; `limits` are create_app's."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        starting = asyncio.create_task(service.start(app.state.registry))
        yield
        starting.cancel()
        app.state.desk.close()
        if service.engine:
            await service.engine.close()

    app = create_app(title, routers=[models, router, own, fine_tuning], lifespan=lifespan, **limits)
    app.state.service, app.state.sources = service, service.sources
    name = service.package.removeprefix("ml_")
    app.state.desk = Desk(name, service.settings.shared, service.trainers, service.check_base)
    return app


def get_engine(request: Request) -> Any:
    service: Service = request.app.state.service
    if service.engine is None:
        raise NotReady(service.state, retry_after_s=2)
    return service.engine


TheEngine = Annotated[Any, Depends(get_engine)]


@router.get("/ready", tags=["health"])
async def ready(request: Request) -> dict[str, str]:
    """The model named at the start is in memory."""
    service: Service = request.app.state.service
    if not service.ready:
        raise NotReady(service.state, retry_after_s=2)
    return {"status": "ready"}


@router.get("/v1/models/{id:path}")
async def model(id: str, engine: TheEngine) -> ModelDetails:
    return await _details(engine, id)


@router.post("/v1/models/{id:path}/load")
async def load(id: str, engine: TheEngine) -> ModelDetails:
    """Bring the model into memory now; 507 when it does not fit."""
    await engine.load(id)
    return await _details(engine, id)


async def _details(engine: Any, name: str) -> ModelDetails:
    source, facts, loaded = await engine.look(name)
    return ModelDetails(
        **model_fields(source),
        family=facts.family,
        parameters=facts.parameters,
        dtype=str(facts.dtype).removeprefix("torch."),
        context_length=getattr(facts, "context_length", None),
        vocab_size=getattr(facts, "vocab_size", None),
        loaded=loaded,
    )


def choose(sources: Sources, model: str, adapter: str | None, use_lora: bool) -> str:
    """The name that answers requests without one. NotFound, with where to put it, when it is nowhere."""
    base = sources.fetch(model)
    if adapter:
        return sources.find(adapter).name
    return sources.newest_adapter(base.name).name if use_lora else base.name


def options(package: str, doc: str | None, model: str) -> argparse.ArgumentParser:
    """The command line of every service, to which one adds fields of its settings; `model` helps with `--model`."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}.serve", description=doc)
    parser.add_argument("--model", help=model)
    parser.add_argument("--use-lora", "--use_lora", action="store_true", help="serve its newest published adapter")
    parser.add_argument("--adapter", help="serve this published adapter")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    return parser


def read_settings(settings: type[S], args: argparse.Namespace) -> S:
    """What the command line gives; the rest from the environment."""
    given = {name: value for name, value in vars(args).items() if value is not None}
    return settings(**{name: value for name, value in given.items() if name in settings.model_fields})


def run(
    settings: S, open_sources: Callable[[S], M], args: argparse.Namespace, app: Callable[[S, M, str], FastAPI]
) -> int:
    """Serve `app(settings, sources, preload)` until the end. Exit status: 2 when a chosen model is nowhere."""
    import uvicorn

    configure_logging(settings.shared.log_level)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before torch is imported
    sources = open_sources(settings)
    try:
        made = app(settings, sources, choose(sources, settings.model, args.adapter, args.use_lora))
    except NotFound as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    uvicorn.run(made, host=settings.host, port=settings.port, log_config=None)
    return 0
