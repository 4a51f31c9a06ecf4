"""What the engine is asked for. Knows no models."""

from dataclasses import dataclass, field

from ml_audio.composing.composer import Piece
from ml_audio.hearing.listener import Task


@dataclass(frozen=True)
class Speech:
    """Something to be said."""

    text: str
    model: str | None = None
    voice: str | None = None
    speed: float = 1.0
    mood: str = ""
    sample_rate_hz: int = 24_000
    seed: int = 0


@dataclass(frozen=True)
class SoundAsked:
    """Music or effects."""

    piece: Piece
    model: str | None = None
    effects: bool = False


@dataclass
class Transcription:
    """A recording to be written down."""

    data: bytes
    model: str | None = None
    task: Task = field(default_factory=Task)
    seconds: float = 0.0
    """How much of it has been heard; grows."""
