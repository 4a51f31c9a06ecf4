"""Phrases: four bars of chords with a tune, which ask or answer, return changed, or close the piece."""

import random
from dataclasses import dataclass, replace

from ml_audio.music.composer.habits import Style
from ml_audio.music.composer.harmony import Chord, chord, closing_chords, phrase_chords
from ml_audio.music.composer.melody import Walk, bar, ending, home, phrase, rhythm
from ml_audio.music.score import METERS, Note


@dataclass(frozen=True)
class Phrase:
    meter: str
    chords: tuple[Chord, ...]
    tune: tuple[tuple[Note, ...], ...]
    harmony: str
    bass: str
    drums: str
    crash: bool = False

    @property
    def bars(self) -> int:
        return len(self.chords)

    @property
    def bar_ticks(self) -> int:
        return METERS[self.meter]

    def introduction(self, bars: int) -> "Phrase":
        """So many first bars, without the tune."""
        return replace(self, chords=self.chords[:bars], tune=((),) * bars)


def new_phrases(rng: random.Random, walk: Walk, style: Style, meter: str) -> tuple[Phrase, Phrase]:
    """The same phrase twice: open, and closed."""
    opening = phrase_chords(rng, walk.mode, style.progressions, style.sevenths)
    closing = closing_chords(rng, opening, walk.mode, style.sevenths)
    tune = phrase(rng, walk, meter, opening)
    close = [*phrase(rng, walk, meter, closing)]
    same = rng.choice((2, 2, 3))  # the second time differs at its end
    closing[:same], close[:same] = opening[:same], tune[:same]
    patterns = rng.choice(style.harmony[meter]), rng.choice(style.bass[meter]), rng.choice(style.drums[meter])
    crash = rng.random() < 0.4
    return (
        Phrase(meter, tuple(opening), tuple(tune), *patterns, crash),
        Phrase(meter, tuple(closing), tuple(close), *patterns),
    )


def varied(rng: random.Random, old: Phrase, walk: Walk, meter: str) -> Phrase:
    """One of its inner bars, or its end, is sung another way."""
    place = rng.choice((1, 2, 3))
    before = old.tune[place - 1] or old.tune[0]
    step = 7 * ((before[-1].pitch - 60) // 12) + 3 if before else 3
    made = (
        ending(rng, walk, meter, old.chords[3], step)
        if place == 3
        else bar(rng, walk, rhythm(rng, walk, meter), old.chords[place], step)
    )
    return replace(old, tune=(*old.tune[:place], made, *old.tune[place + 1 :]))


def last_phrase(old: Phrase, walk: Walk, meter: str, bars: int) -> Phrase:
    """Its last bars, ending on the tonic's chord, held."""
    chords = (*old.chords[:-1], chord(0, walk.mode))[-bars:]
    before = old.tune[-2] if bars > 1 else old.tune[-1]
    return replace(old, chords=chords, tune=(*old.tune[:-1], home(walk, meter, before))[-bars:])
