"""espeak-ng's phonemes with their times -> the phonemes that the voice learns, with frames.

A pause is named by the mark that makes it, so that a question can sound like one.
"""

import re
from collections.abc import Sequence

import numpy as np

from ml_audio.corpus.espeak import PAUSE, Speech
from ml_audio.models.spectrogram import HOP, SAMPLE_RATE_HZ

MARKS = ",.?!"


def kept(phonemes: Sequence[str]) -> list[int]:
    """The places of what is heard: a clause's end is two pauses, taken as one, and a single pause is but a glottal stop
    between two vowels, which belongs to what stands before."""
    pauses = [name == PAUSE for name in phonemes]
    ends = [pause and pauses[place - 1 : place] == [True] for place, pause in enumerate(pauses)]
    begins = [pause and pauses[place + 1 : place + 2] == [True] for place, pause in enumerate(pauses)]
    return [place for place, pause in enumerate(pauses) if not pause or (begins[place] and not ends[place])]


def named(text: str, phonemes: Sequence[str]) -> list[str] | None:
    """espeak-ng's phonemes with each pause named by the mark that makes it; None where pauses and marks do not agree,
    as in long clauses, which it also parts before an "and".

    The last pause of a text without a mark at its end counts as a full stop.
    """
    marks = re.findall(f"[{MARKS}]", text)
    if not text.endswith(tuple(MARKS)):
        marks.append(".")
    single = [phonemes[place] for place in kept(phonemes)]
    if not single or single[0] == PAUSE or single.count(PAUSE) != len(marks):
        return None
    rest = iter(marks)
    return [next(rest) if name == PAUSE else name for name in single]


def align(text: str, speech: Speech, frames: int) -> tuple[list[str], np.ndarray] | None:
    """`named` phonemes and (P,) frames of each, `frames` together."""
    names = [name for name, _ in speech.phonemes]
    said = named(text, names)
    if said is None:
        return None
    starts = [min(frames, round(speech.phonemes[place][1] * SAMPLE_RATE_HZ / HOP)) for place in kept(names)]
    starts[0] = 0
    return said, np.diff([*starts, frames]).astype(np.int32)
