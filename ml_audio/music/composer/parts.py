"""Accompaniment: a bar of drums, bass or chords from its pattern."""

import random

from ml_audio.music.composer.harmony import Chord, voice
from ml_audio.music.composer.patterns import BASS, DRUM_LINES, FILLS, HARMONY, Strokes
from ml_audio.music.score import DRUMS, METERS, Note, whole_duration

BASS_LOW = 33
"""The lowest root: A1, or with the key's shift E1, where a bass guitar ends."""
HIT = 3
"""How long a stroke on a drum is written, in ticks."""


def swung(strokes: Strokes) -> Strokes:
    """Eighths off the beat come a third of a beat later."""
    return tuple(
        (_late(tick), whole_duration(_late(tick + ticks) - _late(tick)), which) for tick, ticks, which in strokes
    )


def _late(tick: int) -> int:
    return tick + 2 if tick % 12 == 6 else tick


def harmony_bar(
    pattern: str,
    meter: str,
    notes: Chord,
    before: tuple[int, ...] | None,
    reach: tuple[int, int],
    final: bool,
    swing: bool,
) -> tuple[tuple[Note, ...], tuple[int, ...]]:
    """The bar, and the chord as it lay, for the next one to lie near."""
    stack = voice(notes, before, *reach)
    if final:
        return tuple(Note(0, pitch, METERS[meter]) for pitch in stack), stack
    strokes = HARMONY[meter][pattern]
    made: list[Note] = []
    for tick, ticks, which in swung(strokes) if swing else strokes:
        if which in ("all", "up"):
            chosen = stack if which == "all" else stack[1:]
        else:
            octave, number = divmod(int(which), len(stack))
            chosen = (stack[number] + 12 * octave,)
        made += [Note(tick, pitch, ticks) for pitch in chosen]
    return tuple(made), stack


def bass_bar(pattern: str, meter: str, notes: Chord, following: Chord, final: bool, swing: bool) -> tuple[Note, ...]:
    root = BASS_LOW + (notes[0] - BASS_LOW) % 12
    if final:
        return (Note(0, root, METERS[meter]),)
    target = BASS_LOW + (following[0] - BASS_LOW) % 12
    pitches = {
        "r": root,
        "8": root + 12,
        "3": root + (notes[1] - notes[0]) % 12,
        "5": root + (notes[2] - notes[0]) % 12,
        ">": _towards(root, target, notes),
    }
    strokes = BASS[meter][pattern]
    return tuple(Note(tick, pitches[which], ticks) for tick, ticks, which in (swung(strokes) if swing else strokes))


def _towards(root: int, target: int, notes: Chord) -> int:
    """A chord note on the way to the next root: the nearest to it that is not it."""
    choices = [root + (note - notes[0]) % 12 - octave for note in notes for octave in (0, 12)]
    low = [pitch for pitch in choices if pitch >= BASS_LOW - 3 and pitch != target]
    return min(low, key=lambda pitch: abs(pitch - target))


def drum_bar(pattern: str, meter: str, final: bool, crash: bool) -> tuple[Note, ...]:
    if final:
        return (Note(0, DRUMS["kick"], HIT), Note(0, DRUMS["crash"], HIT))
    made = _strokes(DRUM_LINES[meter][pattern], meter)
    return (*made, Note(0, DRUMS["crash"], HIT)) if crash else made


def fill(rng: random.Random, notes: tuple[Note, ...], meter: str) -> tuple[Note, ...]:
    """The bar's last beat becomes a fill; of what was there the kick stays."""
    made = _strokes(rng.choice(FILLS[meter]), meter)
    begin = min(note.start for note in made)
    return (*(note for note in notes if note.start < begin or note.pitch == DRUMS["kick"]), *made)


def _strokes(lines: dict[str, str], meter: str) -> tuple[Note, ...]:
    return tuple(
        Note(place * METERS[meter] // len(line), DRUMS[name], HIT)
        for name, line in lines.items()
        for place, mark in enumerate(line)
        if mark == "x"
    )
