"""Voices as they go over the wire."""

import asyncio
from typing import TYPE_CHECKING

from ml_audio.voices import OwnVoice, read_clips
from shared.errors import InvalidRequest
from shared.multipart import Form
from shared.wire.audio import Voice, VoiceRequest

if TYPE_CHECKING:
    from ml_audio.engine import Engine


async def listed(engine: "Engine", model: str | None) -> list[Voice]:
    source, names = await engine.speaker_names(model)
    built_in = [
        Voice(id=name, name=name, type="built_in", created_at=source.created, model=source.name) for name in names
    ]
    return built_in + [_wire(voice) for voice in await asyncio.to_thread(engine.voices.list)]


async def create(engine: "Engine", form: Form, body: VoiceRequest) -> Voice:
    """Raises InvalidRequest for clips that cannot be used, and for models that do not speak as a clip does."""
    if not form.files:
        raise InvalidRequest("`audio_sample` is missing: send recorded speech as a file", param="audio_sample")
    clip = await asyncio.to_thread(read_clips, [bytes(file.data) for file in form.files], body.transcripts)
    model = await engine.check_imitation(body.model, clip)
    return _wire(await asyncio.to_thread(engine.voices.create, body.name, clip, body.consent, model))


def _wire(voice: OwnVoice) -> Voice:
    return Voice(id=voice.id, name=voice.name, type="audio_sample", created_at=voice.created_at, model=voice.model)
