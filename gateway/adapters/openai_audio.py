"""OpenAI's audio through its own SDK; answers and streams are passed on as they come, unparsed."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from openai.types.audio import speech_create_params, transcription_create_params, translation_create_params

from gateway.adapters.openai import OpenAIModels, own_headers, translated
from gateway.audio import AudioCall, AudioPath, Json, Recording, Sound
from gateway.settings import Settings
from gateway.text import Body
from shared.errors import InvalidRequest, UnsupportedByProvider
from shared.http import Transport
from shared.wire.audio import OPENAI_VOICES

KNOWN: Mapping[AudioPath, set[str]] = {
    "speech": {*speech_create_params.SpeechCreateParams.__annotations__},
    "transcriptions": {*transcription_create_params.TranscriptionCreateParamsBase.__annotations__, "stream"},
    "translations": {*translation_create_params.TranslationCreateParams.__annotations__},
}
OURS = ("sample_rate", "seed")
"""What changes the sound, and no model of OpenAI's takes."""
RATE_HZ = 24_000


class OpenAIAudio(OpenAIModels):
    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        super().__init__(settings, transport)
        audio: Any = self.client.audio
        self.calls: Mapping[AudioPath, Any] = {
            "speech": audio.speech.with_streaming_response.create,
            "transcriptions": audio.transcriptions.with_streaming_response.create,
            "translations": audio.translations.with_streaming_response.create,
        }

    async def open(self, call: AudioCall) -> Sound:
        pieces = self._pieces(call)
        media_type = await anext(pieces)  # an early failure is raised here
        return Sound(media_type.decode(), pieces)

    async def voices(self) -> list[Json]:
        """OpenAI lists none; these are the names in its documents."""
        row = {"object": "audio.voice", "type": "built_in", "created_at": 0}
        return [{"id": name, "name": name, **row} for name in OPENAI_VOICES]

    async def create_voice(self, fields: Body, clips: list[Recording]) -> Json:
        if len(clips) != 1 or "consent" not in fields:
            raise UnsupportedByProvider(
                "OpenAI makes a voice from one recording and the id of a recorded consent", param="consent"
            )
        with translated():
            made = await self.client.audio.voices.create(
                name=fields["name"],
                consent=fields["consent"],
                audio_sample=_file(clips[0]),
                extra_headers=own_headers(),
            )
        return made.model_dump(mode="json", exclude_none=True)

    async def delete_voice(self, id: str) -> Json:
        with translated():
            return (await self.client.audio.voices.delete(id, extra_headers=own_headers())).model_dump(mode="json")

    async def _pieces(self, call: AudioCall) -> AsyncGenerator[bytes, None]:
        """The media type, then the answer."""
        with translated():
            async with self._create(call) as reply:
                yield reply.headers.get("content-type", "application/octet-stream").encode()
                async for piece in reply.iter_bytes():
                    yield piece

    def _create(self, call: AudioCall) -> Any:
        """The client's fields go to OpenAI as they are and are judged there."""
        if call.path not in self.calls:
            raise UnsupportedByProvider("OpenAI makes no music and no effects; set MODEL_PROVIDER_AUDIO=custom")
        for name in OURS:
            if call.fields.get(name) not in (None, RATE_HZ if name == "sample_rate" else None):
                raise UnsupportedByProvider(f"OpenAI's models take no `{name}`; leave it out", param=name)
        known = KNOWN[call.path]
        body = {name: value for name, value in call.fields.items() if name in known and value is not None}
        named: dict[str, Any] = {"model": body.pop("model")}
        if call.path == "speech":
            named |= {"input": body.pop("input"), "voice": body.pop("voice", OPENAI_VOICES[0])}
        elif call.recording is None:
            raise InvalidRequest("`file` is missing: send the recording as a file", param="file")
        else:
            named["file"] = _file(call.recording)
        return self.calls[call.path](**named, extra_body=body, extra_headers=own_headers())


def _file(recording: Recording) -> tuple[str, bytes, str]:
    return recording.filename, recording.data, recording.media_type


def build_audio(settings: Settings, transport: Transport | None) -> OpenAIAudio:
    """Raises ValueError without a key."""
    return OpenAIAudio(settings, transport)
