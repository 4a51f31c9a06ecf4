"""`/v1/audio/…`: speech, voices, transcriptions and translations; requests, answers, and the events of streams.

A form's fields are strings: read them with `model_validate_strings`. Its recording comes as the file `file`.
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.wire.text import Wire

Encoding = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
SampleRate = Literal[8000, 12000, 16000, 22050, 24000, 44100, 48000]
TEXT_CHARS = 1_000_000
"""Above the limits of all services: only bounds what is looked at."""
OPENAI_VOICES = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
"""Names that clients send to any model; each means one of the voices that the model has."""


class VoiceId(Wire):
    id: str = Field(min_length=1, max_length=200)


class SpeechRequest(Wire):
    """`sample_rate`, `seed` and `stream` are ours. `model` may be an adapter: the voice of its clips."""

    input: str = Field(min_length=1, max_length=TEXT_CHARS, description="what is said")
    model: str | None = None
    voice: Annotated[str, Field(max_length=200)] | VoiceId | None = Field(
        None, description="one of GET /v1/audio/voices, or a model's name; OpenAI's names mean a voice each"
    )
    instructions: str | None = Field(None, max_length=4096, description="the mood, where the model takes one")
    response_format: Encoding | None = Field(
        None, description="mp3 unless asked otherwise; pcm is 16 bits, one channel"
    )
    speed: float | None = Field(None, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] | None = None
    stream: bool | None = Field(None, description="false: one whole file, whose header says how long it is")
    sample_rate: SampleRate | None = Field(None, description="24000 Hz unless asked otherwise")
    seed: int | None = Field(None, ge=0, lt=2**63, description="the same seed and request: the same sound")

    @property
    def voice_name(self) -> str | None:
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice


class SpeechUsage(Wire):
    """OpenAI counts tokens; `characters` read and `seconds` made are ours."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    characters: int
    seconds: float


class SpeechDelta(Wire):
    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: str
    """Base64; put together, the deltas are the file."""


class SpeechDone(Wire):
    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: SpeechUsage
