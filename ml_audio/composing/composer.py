"""What a loaded music model can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ml_audio.sound.reading import Samples


@dataclass(frozen=True)
class Piece:
    """What is to be made."""

    prompt: str
    duration_s: float
    seed: int = 0
    temperature: float = 1.0
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """mood, style, tonic, mode, tempo_bpm, meter, instruments, as far as they were said."""
    midi: bool = False
    """Its notes are wanted."""


@dataclass(frozen=True)
class Made:
    samples: Samples  # (T, channels)
    sample_rate_hz: int
    midi: bytes | None = None
    """The notes, where the model writes some."""


class Composer(Protocol):
    model: Any

    def compose(self, piece: Piece) -> Made:
        """Raises InvalidRequest, on the field's name, for what it cannot play."""
        ...
