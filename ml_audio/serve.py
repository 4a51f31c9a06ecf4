"""The audio service over HTTP: OpenAI's speech, transcriptions and translations, voices, models.

python -m ml_audio.serve --model NAME
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
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from ml_audio import music_replies, speech, transcripts, voice_replies
from ml_audio.settings import SHIPPED, AudioSettings
from ml_audio.sound.encoding import FORMATS
from ml_audio.sources import Sources
from shared.app import byte_stream, create_app, event_stream, read_fields
from shared.errors import InvalidRequest, NotFound, NotReady, ServiceError
from shared.events import while_connected
from shared.jobs.desk import Desk
from shared.jobs.requests import Trainer
from shared.jobs.routes import router as fine_tuning
from shared.logs import configure_logging
from shared.multipart import Form, read_form
from shared.sources.routes import model_fields
from shared.sources.routes import router as models
from shared.wire.audio import (
    SoundRequest,
    SpeechRequest,
    TranscriptionRequest,
    TranslationRequest,
    Voice,
    VoiceDeleted,
    VoiceList,
    VoiceRequest,
)
from shared.wire.models import ModelDetails

if TYPE_CHECKING:
    from ml_audio.engine import Engine

log = logging.getLogger(__name__)
router = APIRouter()
RECORDING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "model": {"type": "string"},
                        "response_format": {"type": "string"},
                    },
                }
            }
        },
    }
}


class Service:
    """What the routes share. torch is imported in the background, so /health answers at once."""

    def __init__(self, settings: AudioSettings, sources: Sources, preload: str) -> None:
        self.settings, self.sources, self.preload = settings, sources, preload
        self.engine: Engine | None = None
        self.state = "the model is being loaded"
        self.ready = False

    async def start(self) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, "ml_audio.engine")
            engine = self.engine = module.Engine(self.settings, self.sources, self.preload)
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
    return importlib.import_module("ml_audio.trainers").TRAINERS  # loads torch


def get_engine(request: Request) -> "Engine":
    service: Service = request.app.state.service
    if service.engine is None:
        raise NotReady(service.state, retry_after_s=2)
    return service.engine


TheEngine = Annotated[Any, Depends(get_engine)]


@router.get("/ready", tags=["health"])
async def ready(request: Request) -> dict[str, str]:
    """The voice named at the start is in memory."""
    service: Service = request.app.state.service
    if not service.ready:
        raise NotReady(service.state, retry_after_s=2)
    return {"status": "ready"}


@router.post("/v1/audio/speech", response_model=None)
async def speak(body: SpeechRequest, request: Request, engine: TheEngine) -> Response:
    """OpenAI's speech: a file as it is made, or events with `stream_format: sse`."""
    wanted, format = speech.read_request(body)
    if body.stream_format == "sse":
        return event_stream(speech.events(engine, wanted, format))
    media_type = FORMATS[format].media_type
    if body.stream is not False:
        return byte_stream(speech.file_pieces(engine, wanted, format), media_type)
    async with while_connected(request.receive):
        data, seconds = await speech.whole_file(engine, wanted, format)
    return Response(data, media_type=media_type, headers={"x-audio-seconds": f"{seconds:.3f}"})


@router.post("/v1/audio/transcriptions", response_model=None, openapi_extra=RECORDING)
async def transcribe(request: Request, engine: TheEngine) -> Response:
    """OpenAI's transcriptions: json, text, srt, vtt, verbose_json with times of words, or events with `stream`."""
    form = await read_form(request.receive, request.headers.get("content-type"), {"file": 1})
    body = read_fields(TranscriptionRequest, form)
    if body.stream:
        return event_stream(transcripts.sent(transcripts.events(engine, transcripts.wanted(form, body), body)))
    return await _write_down(request, engine, form, body)


@router.post("/v1/audio/translations", response_model=None, openapi_extra=RECORDING)
async def translate(request: Request, engine: TheEngine) -> Response:
    """OpenAI's translations: what is said, in English."""
    form = await read_form(request.receive, request.headers.get("content-type"), {"file": 1})
    return await _write_down(request, engine, form, read_fields(TranslationRequest, form))


async def _write_down(request: Request, engine: Any, form: Form, body: TranslationRequest) -> Response:
    async with while_connected(request.receive):
        text, media_type = await transcripts.answer(engine, transcripts.wanted(form, body), body)
    return Response(text, media_type=media_type)


@router.post("/v1/audio/generate", response_model=None)
@router.post("/v1/sound-generation", response_model=None)
async def generate(body: SoundRequest, request: Request, engine: TheEngine) -> Response:
    """Music, or effects with `mode: effects`, from words; `response_format: midi` gives the notes."""
    async with while_connected(request.receive):
        data, media_type, seconds = await music_replies.answer(engine, body)
    model = "effects" if body.mode == "effects" else body.model or engine.settings.music
    headers = {"x-audio-seconds": f"{seconds:.3f}", "x-audio-model": quote(model, safe=":/")}
    return Response(data, media_type=media_type, headers=headers)


@router.get("/v1/audio/voices")
async def list_voices(engine: TheEngine, model: str | None = None) -> VoiceList:
    """The voices of a model, and those that were made of clips."""
    return VoiceList(data=await voice_replies.listed(engine, model))


@router.post("/v1/audio/voices", openapi_extra=RECORDING)
async def create_voice(request: Request, engine: TheEngine) -> Voice:
    """A voice of somebody's own, of clips, for a model that speaks as a clip does."""
    clips = {"audio_sample": 1, "audio_sample[]": 50}
    form = await read_form(request.receive, request.headers.get("content-type"), clips)
    return await voice_replies.create(engine, form, read_fields(VoiceRequest, form))


@router.delete("/v1/audio/voices/{id}")
async def delete_voice(id: str, engine: TheEngine) -> VoiceDeleted:
    await asyncio.to_thread(engine.voices.remove, id)
    return VoiceDeleted(id=id)


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
        loaded=loaded,
    )


def create_service(settings: AudioSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
    """The app; the voice `preload` is loaded when it starts, and answers requests that name none."""
    service = Service(settings, sources or Sources(settings), preload or settings.model)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(service.start())
        yield
        starting.cancel()
        app.state.desk.close()
        if service.engine:
            await service.engine.close()

    app = create_app(
        "Audio service",
        routers=[models, router, fine_tuning],
        lifespan=lifespan,
        streamed_limits={"/v1/audio/.*": settings.upload_mb << 20},
    )
    app.state.service, app.state.sources = service, service.sources
    app.state.desk = Desk("audio", settings.shared, trainers, service.check_base)
    return app


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ml_audio.serve", description=__doc__)
    parser.add_argument("--model", help="the voice: a published name, a short name, a hub repo, or a folder")
    parser.add_argument("--use-lora", "--use_lora", action="store_true", help="serve its newest published adapter")
    parser.add_argument("--adapter", help="serve this published adapter")
    parser.add_argument("--recogniser", help="what transcribes requests that name no model")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    import uvicorn

    args = parse(argv)
    names = ("model", "recogniser", "host", "port")
    settings = AudioSettings(**{name: value for name in names if (value := getattr(args, name)) is not None})
    configure_logging(settings.shared.log_level)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # before torch is imported
    sources = Sources(settings)
    try:
        preload = choose(sources, settings.model, args.adapter, args.use_lora)
        settings = settings.model_copy(update=others(sources, settings))
    except NotFound as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    uvicorn.run(create_service(settings, sources, preload), host=settings.host, port=settings.port, log_config=None)
    return 0


def others(sources: Sources, settings: AudioSettings) -> dict[str, str]:
    """The names of the models beside the voice. Raises NotFound for one that somebody chose and that is nowhere; those
    that ship are missed when they are asked for."""
    found: dict[str, str] = {}
    for name in ("recogniser", "music"):
        chosen = getattr(settings, name)
        if chosen not in SHIPPED:
            found[name] = sources.fetch(chosen).name
    return found


def choose(sources: Sources, model: str, adapter: str | None, use_lora: bool) -> str:
    """The name that answers requests without one. NotFound, with where to put it, when it is nowhere."""
    base = sources.fetch(model)
    if adapter:
        return sources.find(adapter).name
    return sources.newest_adapter(base.name).name if use_lora else base.name


if __name__ == "__main__":
    sys.exit(main())
