"""The text service over HTTP: OpenAI's chat and completions, models, designs.

python -m ml_text.serve --model NAME
"""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ml_text import completion_replies, replies
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from shared import design
from shared.app import create_app, event_stream
from shared.design import Brief
from shared.errors import InvalidRequest, NotFound, NotReady, ServiceError
from shared.events import while_connected
from shared.jobs.desk import Desk
from shared.jobs.requests import Trainer
from shared.jobs.routes import router as fine_tuning
from shared.logs import configure_logging
from shared.sources.routes import model_fields
from shared.sources.routes import router as models
from shared.wire.chat import ChatRequest
from shared.wire.completions import CompletionRequest
from shared.wire.embeddings import EmbeddingRequest
from shared.wire.models import ModelDetails

if TYPE_CHECKING:
    from ml_text.engine import Engine

log = logging.getLogger(__name__)
router = APIRouter()


class Service:
    """What the routes share. torch is imported in the background, so /health answers at once."""

    def __init__(self, settings: TextSettings, sources: Sources, preload: str) -> None:
        self.settings, self.sources, self.preload = settings, sources, preload
        self.engine: Engine | None = None
        self.state = "the model is being loaded"
        self.ready = False

    async def start(self, registry: CollectorRegistry) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, "ml_text.engine")
            engine = self.engine = module.Engine(self.settings, self.sources, self.preload)
            metrics = importlib.import_module("ml_text.metrics")
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
    return importlib.import_module("ml_text.trainers").TRAINERS  # loads torch


def get_engine(request: Request) -> "Engine":
    service: Service = request.app.state.service
    if service.engine is None:
        raise NotReady(service.state, retry_after_s=2)
    return service.engine


TheEngine = Annotated[Any, Depends(get_engine)]


class Generate(BaseModel):
    prompt: str
    platform: str
    format: str
    model: str | None = None


@router.get("/ready", tags=["health"])
async def ready(request: Request) -> dict[str, str]:
    """The model named at the start is in memory."""
    service: Service = request.app.state.service
    if not service.ready:
        raise NotReady(service.state, retry_after_s=2)
    return {"status": "ready"}


@router.post("/v1/chat/completions", response_model=None)
async def chat(body: ChatRequest, request: Request, engine: TheEngine) -> Response:
    """OpenAI's chat completions, with `top_k` and `repetition_penalty` besides."""
    if body.stream:
        return event_stream(replies.chat_chunks(engine, body))
    async with while_connected(request.receive):
        answer = await replies.chat_completion(engine, body)
    return _json(answer)


@router.post("/v1/completions", response_model=None)
async def complete(body: CompletionRequest, request: Request, engine: TheEngine) -> Response:
    """OpenAI's completions; `prompt` may be text, token ids, or a list of either."""
    if body.stream:
        return event_stream(completion_replies.completion_chunks(engine, body))
    async with while_connected(request.receive):
        answer = await completion_replies.completion(engine, body)
    return _json(answer)


@router.post("/v1/embeddings", response_model=None)
async def embed(body: EmbeddingRequest, request: Request, engine: TheEngine) -> Response:
    """OpenAI's embeddings; vectors have length 1, also when cut to `dimensions`."""
    async with while_connected(request.receive):
        answer = await replies.embeddings(engine, body)
    return _json(answer)


@router.get("/v1/models/{id:path}")
async def model(id: str, engine: TheEngine) -> ModelDetails:
    return await _details(engine, id)


@router.post("/v1/models/{id:path}/load")
async def load(id: str, engine: TheEngine) -> ModelDetails:
    """Bring the model into memory now; 507 when it does not fit."""
    await engine.load(id)
    return await _details(engine, id)


@router.post("/generate")
async def generate(body: Generate, request: Request, engine: TheEngine) -> dict[str, Any]:
    """A brief to a bare design spec."""
    brief = Brief(prompt=body.prompt, platform=body.platform, format=body.format)
    wanted: dict[str, Any] = {"model": body.model, "messages": design.messages(brief)}
    wanted["response_format"] = design.response_format(brief)

    async def ask(fields: Mapping[str, Any]) -> tuple[list[str], None]:
        answer = await replies.chat_completion(engine, ChatRequest.model_validate({**wanted, **fields}))
        return [choice.message.content or "" for choice in answer.choices], None

    async with while_connected(request.receive):
        spec, _ = await design.ask_for_design(ask, brief)
    return spec


async def _details(engine: Any, name: str) -> ModelDetails:
    source, facts, loaded = await engine.look(name)
    return ModelDetails(
        **model_fields(source),
        family=facts.family,
        parameters=facts.parameters,
        dtype=str(facts.dtype).removeprefix("torch."),
        context_length=facts.context_length,
        vocab_size=facts.vocab_size,
        loaded=loaded,
    )


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def create_service(settings: TextSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
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

    app = create_app("Text service", routers=[models, router, fine_tuning], lifespan=lifespan)
    app.state.service, app.state.sources = service, service.sources
    app.state.desk = Desk("text", settings.shared, trainers, service.check_base)
    return app


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ml_text.serve", description=__doc__)
    parser.add_argument("--model", help="a published name, a short name such as gpt2, a hub repo, or a folder")
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
    settings = TextSettings(**given)
    configure_logging(settings.shared.log_level)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before torch is imported
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: weights are read from end to end
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
