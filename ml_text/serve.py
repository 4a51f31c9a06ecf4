"""The text service over HTTP: OpenAI's chat and completions, models, designs.

python -m ml_text.serve --model NAME
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ml_text import completion_replies, replies
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from shared import design, serving
from shared.app import event_stream
from shared.design import Brief
from shared.events import while_connected
from shared.serving import Service, TheEngine
from shared.wire.chat import ChatRequest
from shared.wire.completions import CompletionRequest
from shared.wire.embeddings import EmbeddingRequest

router = APIRouter()


class Generate(BaseModel):
    prompt: str
    platform: str
    format: str
    model: str | None = None


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


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def measure(engine: Any, registry: CollectorRegistry) -> None:
    metrics = importlib.import_module("ml_text.metrics")
    registry.register(metrics.EngineMetrics(lambda: engine.pool.residents))


def create_service(settings: TextSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
    """The app; the model `preload` is loaded when it starts, and answers requests that name none."""
    service = Service("ml_text", settings, sources or Sources(settings), preload or settings.model, measure)
    return serving.create(service, "Text service", router)


def main(argv: Sequence[str] | None = None) -> int:
    model = "a published name, a short name such as gpt2, a hub repo, or a folder"
    parser = serving.options("ml_text", __doc__, model)
    parser.add_argument("--quantize", choices=["nf4", "int8"])
    args = parser.parse_args(argv)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: weights are read from end to end
    return serving.run(serving.read_settings(TextSettings, args), Sources, args, create_service)


if __name__ == "__main__":
    sys.exit(main())
