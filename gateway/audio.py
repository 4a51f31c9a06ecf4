"""What every audio request goes through, whichever provider answers: the model's name, the call, the account."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast
from urllib.parse import unquote

from gateway.modality import Modality, Models, OfProvider, Spent
from gateway.names import merged, wanted
from gateway.text import Body

AudioPath = Literal["speech", "transcriptions", "translations", "generate"]
Json = dict[str, Any]
SPOKEN_CHARS_PER_S = 15.0
"""How fast English is read out: what a stream whose length nobody told is counted as."""
SECONDS = re.compile(rb'"(?:seconds|duration)"\s*:\s*(\d+(?:\.\d+)?)')
TAIL_BYTES = 1024
"""Where an answer says how long it was."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file on its way to a provider."""

    filename: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AudioCall:
    """One request. `fields` is what the client said, without the recording; lists are fields of the form `name[]`."""

    path: AudioPath
    fields: Body
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """An answer on its way: sound, text or events. The `pieces` are to be closed."""

    media_type: str
    pieces: AsyncGenerator[bytes, None]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the provider's, those that the client gets, too."""


class AudioModel(Models, Protocol):
    """Audio of one provider. Errors are ServiceErrors; what it cannot do is UnsupportedByProvider."""

    async def open(self, call: AudioCall) -> Sound:
        """Begin an answer; raises what is wrong before it begins."""
        ...

    async def voices(self) -> list[Json]:
        """OpenAI's voice objects."""
        ...

    async def create_voice(self, fields: Body, clips: list[Recording]) -> Json: ...

    async def delete_voice(self, id: str) -> Json: ...


class Audio(Modality, Protocol):
    """The audio operations of the gateway: a provider's, or two providers joined."""

    @property
    def speakers(self) -> AudioModel:
        """Who keeps the voices."""
        ...

    async def open(self, call: AudioCall) -> Sound:
        """Begin an answer; raises what is wrong before it begins. Its cost is told once it has ended."""
        ...


async def whole(audio: Audio, call: AudioCall) -> tuple[bytes, Sound]:
    """The answer, and what was told of it."""
    sound = await audio.open(call)
    async with aclosing(sound.pieces) as pieces:
        return b"".join([piece async for piece in pieces]), sound


class ProviderAudio(OfProvider[AudioModel]):
    """`default` speaks for requests that name no model."""

    setting = "MODEL_AUDIO"

    @property
    def speakers(self) -> AudioModel:
        return self.models

    async def open(self, call: AudioCall) -> Sound:
        call = await self._named(call)
        sound = await self.models.open(call)
        return replace(sound, pieces=self._counted(call, sound))

    async def _named(self, call: AudioCall) -> AudioCall:
        """With the provider's name for the model. An in-house service knows its own default for all but speech, and
        which model a voice of clips was made for."""
        name = call.fields.get("model")
        own = call.path != "speech" or _is_of_clips(call.fields.get("voice"))
        if not name and (call.path == "generate" or (self.names.closed and own)):
            return call
        model = await self.names.resolve(wanted(name, self.default if call.path == "speech" else None, self.setting))
        return replace(call, fields={**call.fields, "model": model})

    async def _counted(self, call: AudioCall, sound: Sound) -> AsyncGenerator[bytes, None]:
        size_bytes, tail = 0, b""
        try:
            async with aclosing(sound.pieces) as pieces:
                async for piece in pieces:
                    size_bytes += len(piece)
                    tail = (tail + piece)[-TAIL_BYTES:]
                    yield piece
        finally:
            if size_bytes:  # one that its client left was paid for, too
                await self._count(call, sound, _seconds(call, sound, tail))

    async def _count(self, call: AudioCall, sound: Sound, seconds: float) -> None:
        answered_by = unquote(sound.headers.get("x-audio-model", ""))
        model = merged("audio", str(call.fields.get("model") or answered_by or call.path))
        await self.count(Spent(self.provider, model, 0, 0, seconds=max(1, round(seconds)), work=call.path))


def _is_of_clips(voice: object) -> bool:
    """Whether a request's `voice`, an id or `{"id": …}`, is one that was made of recordings."""
    id = cast(Json, voice).get("id") if isinstance(voice, dict) else voice
    return isinstance(id, str) and id.startswith("voice_")


def _seconds(call: AudioCall, sound: Sound, tail: bytes) -> float:
    """How much sound was made or heard: as told, else by the length of the text."""
    if told := sound.headers.get("x-audio-seconds"):
        return float(told)
    if found := SECONDS.findall(tail):
        return float(found[-1])
    text = call.fields.get("input")
    return len(text) / SPOKEN_CHARS_PER_S if isinstance(text, str) else 0.0
