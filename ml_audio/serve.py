"""The audio service over HTTP: OpenAI's speech, transcriptions and translations, voices, models.

python -m ml_audio.serve --model NAME
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response

from ml_audio import music_replies, speech, transcripts, voice_replies
from ml_audio.settings import SHIPPED, AudioSettings
from ml_audio.sound.encoding import FORMATS
from ml_audio.sources import Sources
from shared import serving
from shared.app import byte_stream, event_stream, read_fields
from shared.events import while_connected
from shared.multipart import Form, read_form
from shared.serving import Service, TheEngine
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


def create_service(settings: AudioSettings, sources: Sources | None = None, preload: str | None = None) -> FastAPI:
    """The app; the voice `preload` is loaded when it starts, and answers requests that name none."""
    service = Service("ml_audio", settings, sources or Sources(settings), preload or settings.model)
    return serving.create(service, "Audio service", router, streamed_limits={"/v1/audio/.*": settings.upload_mb << 20})


def main(argv: Sequence[str] | None = None) -> int:
    model = "the voice: a published name, a short name, a hub repo, or a folder"
    parser = serving.options("ml_audio", __doc__, model)
    parser.add_argument("--recogniser", help="what transcribes requests that name no model")
    args = parser.parse_args(argv)

    def create(settings: AudioSettings, sources: Sources, preload: str) -> FastAPI:
        return create_service(settings.model_copy(update=others(sources, settings)), sources, preload)

    return serving.run(serving.read_settings(AudioSettings, args), Sources, args, create)


def others(sources: Sources, settings: AudioSettings) -> dict[str, str]:
    """The names of the models beside the voice. Raises NotFound for one that somebody chose and that is nowhere; those
    that ship are missed when they are asked for."""
    found: dict[str, str] = {}
    for name in ("recogniser", "music"):
        chosen = getattr(settings, name)
        if chosen not in SHIPPED:
            found[name] = sources.fetch(chosen).name
    return found


if __name__ == "__main__":
    sys.exit(main())
