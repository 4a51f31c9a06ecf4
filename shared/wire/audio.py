"""`/v1/audio/…`: speech, voices, transcriptions and translations; requests, answers, and the events of streams.

A form's fields are strings: read them with `model_validate_strings`. Its recording comes as the file `file`.
"""

import json
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.text import NotOffered, Wire

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


TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class ServerVad(Wire):
    type: Literal["server_vad"]
    prefix_padding_ms: int | None = Field(None, ge=0)
    silence_duration_ms: int | None = Field(None, ge=0)
    threshold: float | None = Field(None, ge=0, le=1)


def _from_json(value: object) -> object:
    """Some clients send the object as a JSON string in the form, whose values are strings all the way down."""
    try:
        return (
            json.loads(value, parse_int=str, parse_float=str)
            if isinstance(value, str) and value.startswith("{")
            else value
        )
    except ValueError:
        raise PydanticCustomError("chunking", "is no JSON") from None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class TranslationRequest(Wire):
    """The fields beside `file`. What is said in any language is written in English."""

    model: str | None = None
    prompt: str | None = Field(None, max_length=10_000, description="words that are likely, for models that take them")
    response_format: TranscriptFormat | None = Field(None, description="json unless asked otherwise")
    temperature: float | None = Field(None, ge=0, le=1)


class TranscriptionRequest(TranslationRequest):
    """`chunking_strategy` is a hint: long recordings are always heard in overlapping windows."""

    language: str | None = Field(None, pattern=r"^[A-Za-z]{2,3}$", description="ISO 639-1; else the model finds out")
    stream: bool | None = None
    timestamp_granularities: Annotated[list[Literal["word", "segment"]], BeforeValidator(_as_list)] = Field(
        default_factory=list[Literal["word", "segment"]], description="with verbose_json; segment unless asked"
    )
    include: Annotated[list[Literal["logprobs"]], BeforeValidator(_as_list)] = Field(
        default_factory=list[Literal["logprobs"]], description="logprobs: of each word, with json"
    )
    chunking_strategy: Annotated[Literal["auto"] | ServerVad | None, BeforeValidator(_from_json)] = None
    known_speaker_names: NotOffered = None
    known_speaker_references: NotOffered = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.timestamp_granularities and self.response_format != "verbose_json":
            raise PydanticCustomError("granularities", "timestamp_granularities needs response_format verbose_json")
        if self.stream and self.response_format not in (None, "json", "text"):
            raise PydanticCustomError("stream", "a stream is json or text")
        return self


class DurationUsage(Wire):
    type: Literal["duration"] = "duration"
    seconds: float


class TranscriptLogprob(Wire):
    token: str
    bytes: list[int]
    logprob: float


class TranscriptJson(Wire):
    """`model`, the one that answered, is ours."""

    text: str
    logprobs: list[TranscriptLogprob] | None = None
    usage: DurationUsage
    model: str | None = None


class TranscriptWord(Wire):
    word: str
    start: float
    end: float


class TranscriptSegment(Wire):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscript(Wire):
    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[TranscriptSegment] | None = None
    words: list[TranscriptWord] | None = None
    usage: DurationUsage
    model: str | None = None


class TranscriptDelta(Wire):
    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    logprobs: list[TranscriptLogprob] | None = None


class TranscriptSegmentEvent(Wire):
    """OpenAI's names speakers, which are not told apart here."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    speaker: str = ""
    text: str


class TranscriptDone(Wire):
    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    logprobs: list[TranscriptLogprob] | None = None
    usage: DurationUsage
    model: str | None = None


class SoundRequest(Wire):
    """Music or effects from words. What the fields say wins over what the prompt says."""

    prompt: str = Field(min_length=1, max_length=4096, validation_alias=AliasChoices("prompt", "text", "input"))
    model: str | None = None
    mode: Literal["music", "effects"] | None = Field(None, description="music unless asked otherwise")
    duration: float | None = Field(
        None, gt=0, le=600, validation_alias=AliasChoices("duration", "duration_seconds", "seconds"), description="10 s"
    )
    response_format: Encoding | Literal["midi"] | None = Field(None, description="wav unless asked otherwise")
    sample_rate: SampleRate | None = None
    seed: int | None = Field(None, ge=0, lt=2**63, description="the same seed and request: the same sound")
    temperature: float | None = Field(None, ge=0, le=2)
    mood: str | None = Field(None, max_length=100)
    style: str | None = Field(None, max_length=100)
    key: str | None = Field(None, pattern=r"^[A-Ga-g](#|b|♯|♭)? ?(major|minor)$", description='"D minor"')
    tempo: float | None = Field(None, gt=0, le=1000, description="beats per minute")
    meter: str | None = Field(None, pattern=r"^\d{1,2}/\d{1,2}$")
    instruments: list[Annotated[str, Field(max_length=100)]] | None = Field(None, max_length=20)


class VoiceRequest(Wire):
    """The fields beside the clips, which are the files `audio_sample`, or several as `audio_sample[]`.

    `consent` is OpenAI's id of a recorded consent; in-house it is kept with the voice.
    """

    name: str = Field(min_length=1, max_length=100)
    consent: str | None = Field(None, max_length=200)
    model: str | None = Field(None, description="which speaks with it; the default voice's unless said otherwise")
    transcripts: Annotated[list[Annotated[str, Field(max_length=4096)]], BeforeValidator(_as_list)] = Field(
        default_factory=list[str], description="what is said in each clip, in the same order"
    )
    type: Literal["audio_sample"] | None = None


class Voice(Wire):
    """`model`, which speaks with it, is ours."""

    id: str
    name: str
    object: Literal["audio.voice"] = "audio.voice"
    type: str
    created_at: int
    model: str | None = None


class VoiceList(Wire):
    object: Literal["list"] = "list"
    data: list[Voice]


class VoiceDeleted(Wire):
    id: str
    deleted: bool = True
    object: Literal["audio.voice.deleted"] = "audio.voice.deleted"
