"""What a loaded voice can do, and what the families share."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ml_audio.sound.reading import Samples
from shared.errors import InvalidRequest

_DICE = threading.Lock()


@dataclass(frozen=True)
class Clip:
    """A person's speech to be imitated, at 24 kHz, with its words if they are known."""

    samples: Samples
    sample_rate_hz: int
    transcript: str = ""


@dataclass(frozen=True)
class Utterance:
    text: str
    """At most as long as the speaker's `limit`."""
    voice: str = ""
    """One of the speaker's `voices`; empty: the first."""
    clip: Clip | None = None
    """Whose voice it is, in place of `voice`."""
    speed: float = 1.0
    mood: str = ""
    """Free words, as OpenAI's `instructions`."""
    seed: int = 0


class Speaker(Protocol):
    model: Any
    sample_rate_hz: int
    voices: Sequence[str]
    """Names of the voices in the weights."""
    limit: int
    """Characters that it says well at once."""

    def check(self, utterance: Utterance) -> None:
        """Raises InvalidRequest for what this family cannot do."""
        ...

    def say(self, utterance: Utterance) -> Samples:
        """(T,) at `sample_rate_hz`; nothing when there is nothing in the text that it could say."""
        ...


def refuse_mood(utterance: Utterance, family: str) -> None:
    if utterance.mood:
        raise InvalidRequest(f"{family} takes no mood: leave out `instructions`", param="instructions")


def refuse_clip(utterance: Utterance, family: str) -> None:
    if utterance.clip is not None:
        raise InvalidRequest(
            f"{family} speaks with the voices of its weights; a voice of your own is trained: POST "
            '/v1/fine_tuning/jobs with hyperparameters {"trainer": "voice"} and clips with their transcripts',
            param="voice",
        )


def require_words(clip: Clip, family: str) -> None:
    if not clip.transcript:
        raise InvalidRequest(
            f"{family} needs the words of the clips that it speaks on from: make the voice with `transcripts`",
            param="transcripts",
        )


def refuse_long_clip(clip: Clip, family: str) -> InvalidRequest:
    """Where a clip and its words leave no room for a sentence."""
    seconds = len(clip.samples) / clip.sample_rate_hz
    return InvalidRequest(
        f"{family} cannot speak on from {seconds:.1f} s in {len(clip.transcript)} characters: send some ten seconds",
        param="voice",
        code="voice_too_long",
    )


def lasting_s(characters: int) -> float:
    """How long so much text lasts when it is said slowly. A voice that takes twice as long has lost its way."""
    return 1.0 + characters / 12


@contextlib.contextmanager
def dice(seed: int) -> Iterator[None]:
    """The block draws its random numbers from `seed`; one at a time, since torch has one generator for all threads."""
    with _DICE:
        torch.manual_seed(seed)
        yield


def numbers(waveform: torch.Tensor) -> Samples:
    return waveform.detach().reshape(-1).float().cpu().numpy()
