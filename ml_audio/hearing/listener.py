"""What a loaded recogniser can do, and what it tells."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ml_audio.sound.reading import Samples

RATE_HZ = 16_000
"""What every recogniser here hears."""


@dataclass(frozen=True)
class Word:
    text: str
    start_s: float
    end_s: float
    logprob: float
    """Mean over its tokens."""


@dataclass(frozen=True)
class Segment:
    """Some seconds of speech: about a sentence."""

    text: str
    start_s: float
    end_s: float
    words: list[Word] = field(default_factory=list[Word])
    tokens: list[int] = field(default_factory=list[int])
    logprob: float = 0.0
    """Mean over its tokens."""
    no_speech_prob: float = 0.0
    temperature: float = 0.0
    language: str | None = None


@dataclass(frozen=True)
class Task:
    """How a recording is to be heard."""

    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    """ISO 639-1; None: the model finds out, if it knows several."""
    prompt: str = ""
    temperature: float = 0.0
    words: bool = False
    """Times of words are wanted."""


class Hearing(Protocol):
    """One recording on its way through a model."""

    window: int
    """Samples at RATE_HZ that are heard at once."""

    def hear(self, samples: Samples, start: int, last: bool) -> tuple[list[Segment], int]:
        """A window that begins at `start`: what is certain now, and by how many samples to go on.

        `samples` are `window` many but at the end of the recording, where `last` is true.
        """
        ...


class Listener(Protocol):
    model: Any

    def begin(self, task: Task) -> Hearing:
        """Raises InvalidRequest for what this family cannot do."""
        ...
