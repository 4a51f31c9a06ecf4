"""/v1/audio: speech, transcriptions, translations, voices, music and effects."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from gateway.audio import Audio, AudioCall, AudioPath, Recording, whole
from gateway.events import Events
from gateway.keys import Key, caller
from shared.app import byte_stream, read_fields
from shared.body import json_object
from shared.errors import InvalidRequest
from shared.events import while_connected
from shared.multipart import Form, FormFile, read_form
from shared.wire.audio import SoundRequest, SpeechRequest, TranscriptionRequest, TranslationRequest, VoiceRequest

AUDIO_BYTES = 100 << 20
"""One recording; it is held in memory until the answer is there."""
EVENTS = "text/event-stream"
STRING = {"type": "string"}
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
                        **dict.fromkeys(("model", "language", "prompt", "response_format", "stream"), STRING),
                        "timestamp_granularities[]": {"type": "array", "items": STRING},
                    },
                }
            }
        },
    }
}
CLIPS = {"audio_sample": 1, "audio_sample[]": 50}
VOICE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "audio_sample"],
                    "properties": {"name": STRING, "audio_sample": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
ANY: Any = {200: {"content": {"audio/*": {}, EVENTS: {}}}}
Caller = Annotated[Key, Depends(caller)]
router = APIRouter(prefix="/v1/audio", tags=["audio"])


async def admitted(request: Request, key: Caller) -> Audio:
    """Raises UnsupportedByProvider where there is no audio, Overloaded for a key that had enough."""
    audio: Audio = request.app.state.adapter.offered_audio()
    await request.app.state.limits.check(key, "seconds", request.scope["response_headers"])
    return audio


Admitted = Annotated[Audio, Depends(admitted)]


@router.post("/speech", response_model=None, responses=ANY)
async def speak(body: SpeechRequest, request: Request, key: Caller, audio: Admitted) -> Response:
    """Text read out: a file as it is made, or events with `stream_format: sse`."""
    request.app.state.voices.check(body.voice_name, key.id)
    call = AudioCall("speech", json_object(request.scope))
    if body.stream is False and body.stream_format != "sse":
        return await _whole(request, audio, call)
    return await _forwarded(audio, call)


@router.post("/transcriptions", response_model=None, openapi_extra=RECORDING)
async def transcribe(request: Request, audio: Admitted) -> Response:
    """A recording written down: json, text, srt, vtt, verbose_json with times of words, or events with `stream`."""
    form = await read_form(request.receive, request.headers.get("content-type"), {"file": 1})
    body = read_fields(TranscriptionRequest, form)
    call = _call("transcriptions", form)
    return await _forwarded(audio, call) if body.stream else await _whole(request, audio, call)


@router.post("/translations", response_model=None, openapi_extra=RECORDING)
async def translate(request: Request, audio: Admitted) -> Response:
    """What is said in a recording, in English."""
    form = await read_form(request.receive, request.headers.get("content-type"), {"file": 1})
    read_fields(TranslationRequest, form)
    return await _whole(request, audio, _call("translations", form))


@router.post("/generate", response_model=None, responses=ANY)
async def generate(body: SoundRequest, request: Request, audio: Admitted) -> Response:
    """Music, or effects with `mode: effects`, from words."""
    return await _whole(request, audio, AudioCall("generate", json_object(request.scope)))


async def generate_sound(body: SoundRequest, request: Request, audio: Admitted) -> Response:
    """The same under the name that clients of others know."""
    return await generate(body, request, audio)


sound_generation = APIRouter(tags=["audio"])
sound_generation.add_api_route(
    "/v1/sound-generation", generate_sound, methods=["POST"], response_model=None, responses=ANY
)


@router.get("/voices")
async def list_voices(request: Request, key: Caller, audio: Admitted) -> dict[str, Any]:
    """Those of the models, and those that this key made."""
    return {"object": "list", "data": request.app.state.voices.visible(await audio.speakers.voices(), key.id)}


@router.post("/voices", openapi_extra=VOICE)
async def create_voice(request: Request, key: Caller, audio: Admitted) -> dict[str, Any]:
    """A voice of somebody's own from recorded speech: the files `audio_sample` or `audio_sample[]`."""
    form = await read_form(request.receive, request.headers.get("content-type"), CLIPS)
    read_fields(VoiceRequest, form)
    if not form.files:
        raise InvalidRequest("`audio_sample` is missing: send recorded speech as a file", param="audio_sample")
    clips = [recording(file) for file in form.files]
    made = await audio.speakers.create_voice({**form.fields, **form.lists}, clips)
    request.app.state.voices.add(str(made["id"]), key.id)
    return made


@router.delete("/voices/{id}")
async def delete_voice(id: str, request: Request, key: Caller, audio: Admitted) -> dict[str, Any]:
    request.app.state.voices.check(id, key.id)
    gone = await audio.speakers.delete_voice(id)
    request.app.state.voices.remove(id)
    return gone


def _call(path: AudioPath, form: Form) -> AudioCall:
    if not form.files:
        raise InvalidRequest("`file` is missing: send the recording as a file", param="file")
    if not form.files[0].data:
        raise InvalidRequest("the file is empty", param="file", code="empty_file")
    return AudioCall(path, {**form.fields, **form.lists}, recording(form.files[0]))


def recording(file: FormFile) -> Recording:
    return Recording(file.filename, file.media_type, bytes(file.data))


async def _forwarded(audio: Audio, call: AudioCall) -> Response:
    sound = await audio.open(call)
    if sound.media_type.startswith(EVENTS):
        return Events(sound.pieces)
    return byte_stream(sound.pieces, sound.media_type, sound.headers)


async def _whole(request: Request, audio: Audio, call: AudioCall) -> Response:
    async with while_connected(request.receive):
        data, sound = await whole(audio, call)
    return Response(data, media_type=sound.media_type, headers=dict(sound.headers))
