"""Voices that nobody recorded, for families that speak on in the voice that they hear.

Such a model draws another voice for every sentence that comes without one. So it says one line by a seed, once, and
what it made of it is what all sentences of that voice begin with: the seed is the voice.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

from ml_audio.sound.reading import Samples
from ml_audio.speaking.speaker import Clip

T = TypeVar("T")
LINE = "The morning was quiet, and we walked along the river until we came to the old bridge."
"""Some five seconds, calm, with most of the sounds of English."""
VOICES = [str(seed) for seed in range(8)]


def introduce(say: Callable[[str, int], T]) -> Callable[[str], T]:
    """What `say` makes of the line, by a voice's name; made when it is first asked for."""

    @functools.lru_cache(maxsize=len(VOICES))
    def by_name(name: str) -> T:
        return say(LINE, int(name))

    return by_name


def clips(say: Callable[[str, Clip | None, int], Samples], sample_rate_hz: int) -> Callable[[str], Clip | None]:
    """The same for what speaks on from a clip: `say(text, clip, seed)` without one. None where it says nothing."""

    def record(line: str, seed: int) -> Clip | None:
        samples = say(line, None, seed)
        return Clip(samples, sample_rate_hz, line) if len(samples) else None

    return introduce(record)
