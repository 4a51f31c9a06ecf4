"""Audio of an in-house service: fields go to it as the client wrote them, recordings as a form."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import quote

from gateway.adapters.service import JSON, LOAD_TIMEOUT_S, PROBE_TIMEOUT_S, Answering, Service
from gateway.audio import AudioCall, Json, Recording, Sound
from gateway.settings import Settings
from gateway.text import Body
from shared.body import encode
from shared.errors import UpstreamFailed
from shared.http import Transport
from shared.multipart import write_form

KEPT = ("x-audio-seconds", "x-audio-model", "content-disposition")
"""Headers that the client gets, too."""


class CustomAudio(Service):
    async def open(self, call: AudioCall) -> Sound:
        path, body, content_type = _written(call)
        answering = await self._send("POST", path, body, content_type=content_type)
        reply = answering.reply
        headers = {name: value for name in KEPT if (value := reply.header(name)) is not None}
        return Sound(reply.header("content-type") or "application/octet-stream", _pieces(answering), headers)

    async def voices(self) -> list[Json]:
        found = (await self._json("GET", "/v1/audio/voices", PROBE_TIMEOUT_S)).get("data")
        if not isinstance(found, list):
            raise UpstreamFailed("the upstream's list of voices cannot be read")
        return cast(list[Json], found)

    async def create_voice(self, fields: Body, clips: list[Recording]) -> Json:
        files = (("audio_sample[]", clip.filename, clip.media_type, clip.data) for clip in clips)
        body, content_type = write_form(fields, files)
        answering = await self._send("POST", "/v1/audio/voices", body, LOAD_TIMEOUT_S, content_type)
        try:
            return cast(Json, await answering.reply.json())
        finally:
            answering.close()

    async def delete_voice(self, id: str) -> Json:
        return await self._json("DELETE", f"/v1/audio/voices/{quote(id, safe='')}", PROBE_TIMEOUT_S)


async def _pieces(answering: Answering) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(answering.reply.pieces()) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        answering.close()


def _written(call: AudioCall) -> tuple[str, bytes, str]:
    """Path, body and content type."""
    path = f"/v1/audio/{call.path}"
    fields: dict[str, Any] = {name: value for name, value in call.fields.items() if value is not None}
    if call.recording is None:
        return path, encode(fields), JSON
    recording = call.recording
    body, content_type = write_form(fields, [("file", recording.filename, recording.media_type, recording.data)])
    return path, body, content_type


def build_audio(settings: Settings, transport: Transport | None) -> CustomAudio | None:
    """None when ML_AUDIO_URL is not set: audio is then not offered."""
    urls = settings.of("audio").urls
    return CustomAudio(urls, settings) if urls else None
