"""OpenAI's audio, in its shapes: a tone as long as the text, a transcript that tells what was sent. As a service of
ours it also makes music, and keeps voices."""

import asyncio
import base64
import io
import json
import math
import struct
import uuid
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
from openai_shapes import Refusal
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

GOOD = ("gpt-4o-mini-tts", "gpt-4o-mini-transcribe", "whisper-1")
RATE_HZ = 24_000
CHAR_S = 0.01
INVALID = "invalid_request_error"
KNOWN = frozenset("input model voice instructions response_format speed stream_format".split())
FORMATS = {"mp3": ("mp3", "libmp3lame"), "flac": ("flac", "flac"), "opus": ("ogg", "libopus"), "aac": ("adts", "aac")}
TYPES = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav"}


async def speak(request: Request) -> Response:
    body = await request.json()
    service = request.app.state.service
    for field in body:
        if field not in KNOWN and not service:
            raise Refusal(400, INVALID, f"Unknown parameter: '{field}'.", "unknown_parameter", field)
    _check_model(request, body)
    if not body.get("voice") and not service:
        raise Refusal(400, INVALID, "Missing required parameter: 'voice'.", "missing_required_parameter", "voice")
    format = body.get("response_format") or "mp3"
    data = _encode(_tone(len(body["input"]) * CHAR_S / (body.get("speed") or 1)), format)
    if body.get("stream_format") == "sse":
        return StreamingResponse(_speech_events(data), media_type="text/event-stream")
    return StreamingResponse(_slowly(data, body["model"]), media_type=TYPES.get(format, "audio/pcm"))


async def write_down(request: Request) -> Response:
    async with request.form() as form:
        file = form["file"]
        assert isinstance(file, UploadFile)
        data = await file.read()
        fields: dict[str, Any] = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        wanted = form.getlist("timestamp_granularities[]")
    _check_model(request, fields)
    if not data.startswith((b"RIFF", b"ID3", b"\xff", b"fLaC", b"OggS")):
        raise Refusal(400, INVALID, "Invalid file format.", "invalid_value", "file")
    said = request.url.path.rpartition("/")[2]
    words = f"{said} of {len(data)} bytes"
    if str(fields.get("stream")).lower() == "true":
        return StreamingResponse(_transcript_events(words), media_type="text/event-stream")
    format = fields.get("response_format", "json")
    if format in ("text", "srt", "vtt"):
        return PlainTextResponse(_written(words, format))
    usage = {"type": "duration", "seconds": 3}
    if format == "json":
        return JSONResponse({"text": words, "usage": usage})
    verbose = {"task": "transcribe", "language": "english", "duration": 3.0, "text": words, "usage": usage}
    if "word" in wanted:
        verbose["words"] = [{"word": word, "start": i, "end": i + 1.0} for i, word in enumerate(words.split())]
    return JSONResponse(verbose)


async def generate(request: Request) -> Response:
    if not request.app.state.service:
        raise Refusal(404, INVALID, "Invalid URL", "unknown_url")
    body = await request.json()
    data = _encode(_tone(body.get("duration") or 1.0), "wav")
    return Response(
        data,
        media_type="audio/wav",
        headers={"x-audio-seconds": str(body.get("duration") or 1.0), "x-audio-model": "composer"},
    )


async def voices(request: Request) -> Response:
    kept = request.app.state.voices
    if request.method == "GET":
        built_in = {"id": "default", "name": "default", "object": "audio.voice", "type": "built_in", "created_at": 0}
        return JSONResponse({"object": "list", "data": [built_in, *kept.values()]})
    async with request.form() as form:
        voice = {"id": f"voice_{uuid.uuid4().hex}", "name": form["name"], "object": "audio.voice", "created_at": 1}
    kept[voice["id"]] = {**voice, "type": "audio_sample"}
    return JSONResponse(kept[voice["id"]])


async def delete_voice(request: Request) -> Response:
    id = request.path_params["id"]
    if request.app.state.voices.pop(id, None) is None:
        raise Refusal(404, INVALID, f"No voice {id}", "voice_not_found", "voice")
    return JSONResponse({"id": id, "deleted": True, "object": "audio.voice.deleted"})


def _check_model(request: Request, fields: dict[str, Any]) -> None:
    model = fields.get("model")
    if request.app.state.service and model in (None, "starter"):
        fields["model"] = "starter"
        return
    if model == "fail-429":
        raise Refusal(429, "requests", "Rate limit reached for requests", "rate_limit_exceeded")
    if model not in (*GOOD, "slow", "cut"):
        raise Refusal(404, INVALID, f"The model `{model}` does not exist.", "model_not_found", "model")


async def _slowly(data: bytes, model: str) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 4096):
        if model == "cut" and start:
            await asyncio.sleep(0.02)
            raise ConnectionAbortedError("asked to cut this stream")
        yield data[start : start + 4096]


async def _speech_events(data: bytes) -> AsyncIterator[str]:
    for start in range(0, len(data), 4096):
        audio = base64.b64encode(data[start : start + 4096]).decode()
        yield f"data: {json.dumps({'type': 'speech.audio.delta', 'audio': audio})}\n\n"
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    yield f"data: {json.dumps({'type': 'speech.audio.done', 'usage': usage})}\n\n"


async def _transcript_events(words: str) -> AsyncIterator[str]:
    for i, word in enumerate(words.split()):
        delta = word if not i else f" {word}"
        yield f"data: {json.dumps({'type': 'transcript.text.delta', 'delta': delta})}\n\n"
    usage = {"type": "tokens", "input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    yield f"data: {json.dumps({'type': 'transcript.text.done', 'text': words, 'usage': usage})}\n\n"


def _written(words: str, format: str) -> str:
    if format == "text":
        return words + "\n"
    point = "," if format == "srt" else "."
    times = f"00:00:00{point}000 --> 00:00:03{point}000\n{words}\n\n"
    return f"1\n{times}" if format == "srt" else f"WEBVTT\n\n{times}"


def _tone(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * math.pi * 440 * t)).astype(np.float32)


def _encode(samples: np.ndarray, format: str) -> bytes:
    data = (samples * 32767).astype("<i2").tobytes()
    if format == "pcm":
        return data
    if format == "wav":
        about = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
        return (
            b"RIFF"
            + struct.pack("<I", len(data) + 36)
            + b"WAVEfmt "
            + about
            + b"data"
            + struct.pack("<I", len(data))
            + data
        )
    container, codec = FORMATS[format]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        for each in (frame, None):
            for packet in stream.encode(each):
                output.mux(packet)
    return file.getvalue()


ROUTES = [
    Route("/v1/audio/speech", speak, methods=["POST"]),
    Route("/v1/audio/transcriptions", write_down, methods=["POST"]),
    Route("/v1/audio/translations", write_down, methods=["POST"]),
    Route("/v1/audio/generate", generate, methods=["POST"]),
    Route("/v1/audio/voices", voices, methods=["GET", "POST"]),
    Route("/v1/audio/voices/{id}", delete_voice, methods=["DELETE"]),
]
