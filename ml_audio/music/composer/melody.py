"""Tunes: a walk on the scale that knows where the beat is, where it comes from and how it has to end.

What is usual in songs: steps are more frequent than thirds, thirds than leaps; after a leap the line turns back; chord
notes stand on strong beats; a bar returns, sometimes a step higher; a phrase ends on a long note, open or at home.
"""

import random
from dataclasses import dataclass

from ml_audio.music.composer.harmony import Chord
from ml_audio.music.composer.patterns import CELLS, RHYTHMS
from ml_audio.music.score import SCALES, TICKS, Note

MOVES = {0: 11, 1: 24, -1: 27, 2: 12, -2: 12, 3: 5, -3: 4, 4: 4, -4: 2, 7: 0.6, 5: 1, -5: 1}
"""Steps of the scale to the next note: weight."""


@dataclass(frozen=True)
class Walk:
    """How a tune moves: its key's mode, the middle of its range (a pitch, as if in C), how lively, how restful."""

    mode: str
    centre: int
    liveliness: str
    rests: float


def rhythm(rng: random.Random, walk: Walk, meter: str) -> tuple[int, ...]:
    """The durations of a bar."""
    return tuple(ticks for part in CELLS[meter] for ticks in rng.choice(RHYTHMS[part][walk.liveliness]))


def phrase(rng: random.Random, walk: Walk, meter: str, chords: list[Chord]) -> list[tuple[Note, ...]]:
    """As many bars as chords, the last of which rests on a note of its chord; `start` counted from each bar's."""
    first, second = rhythm(rng, walk, meter), rhythm(rng, walk, meter)
    plan = [first, second, first] if rng.random() < 0.65 else [first, first, second]
    place = _nearest(walk, chords[0], walk.centre + rng.choice((-3, 0, 0, 4)))
    bars: list[tuple[Note, ...]] = []
    for number, notes in enumerate(chords[:-1]):
        again = bars[0] if number == 2 or (number == 1 and plan[0] == plan[1]) else ()
        if again and rng.random() < 0.5 and _fits(again, notes):
            bars.append(again)
        elif again and rng.random() < 0.45:
            bars.append(sequence(walk, again, notes))
        else:
            bars.append(bar(rng, walk, plan[number % 3], notes, place))
        if bars[-1]:
            place = _step_of(walk, bars[-1][-1].pitch)
    bars.append(ending(rng, walk, meter, chords[-1], place))
    return bars


def bar(rng: random.Random, walk: Walk, durations: tuple[int, ...], notes: Chord, place: int) -> tuple[Note, ...]:
    """One bar that goes on from the scale's step `place`."""
    made: list[Note] = []
    tick, last = 0, 0
    for ticks in durations:
        move = _move(rng, walk, notes, place, last, strong=tick % TICKS == 0, first=tick == 0)
        place, last = place + move, move
        if not made or tick == 0 or rng.random() >= walk.rests:
            made.append(Note(tick, _pitch(walk, place, notes), ticks))
        tick += ticks
    return tuple(made)


def sequence(walk: Walk, notes: tuple[Note, ...], over: Chord) -> tuple[Note, ...]:
    """The bar again, as many steps higher or lower as bring its first note onto the nearest one of the new chord."""
    move = _nearest(walk, over, notes[0].pitch) - _step_of(walk, notes[0].pitch)
    return tuple(
        Note(note.start, _pitch(walk, _step_of(walk, note.pitch) + move, over), note.duration) for note in notes
    )


def ending(rng: random.Random, walk: Walk, meter: str, notes: Chord, place: int) -> tuple[Note, ...]:
    """A few notes and a long one, or the long one alone."""
    total = sum(CELLS[meter])
    lead = rng.choice(((), (12,), (6, 6), (12, 12) if total == 48 else (12,)))
    if walk.liveliness == "swing":
        lead = rng.choice(((), (12,), (8, 4)))
    made: list[Note] = []
    tick = 0
    for ticks in lead:
        place += _move(rng, walk, notes, place, 0, strong=tick == 0, first=tick == 0)
        made.append(Note(tick, _pitch(walk, place, notes), ticks))
        tick += ticks
    long = total - tick if rng.random() < 0.6 else min(24, total - tick)
    made.append(Note(tick, _pitch(walk, _nearest(walk, notes, _pitch(walk, place, notes)), notes), long))
    return tuple(made)


def home(walk: Walk, meter: str, before: tuple[Note, ...]) -> tuple[Note, ...]:
    """The last bar of a piece: the tonic nearest to where the line was."""
    pitch = before[-1].pitch if before else walk.centre
    return (Note(0, round(pitch / 12) * 12, sum(CELLS[meter])),)


def _move(rng: random.Random, walk: Walk, notes: Chord, place: int, last: int, strong: bool, first: bool) -> int:
    tones = {note % 12 for note in notes}
    weights: list[float] = []
    for move, weight in MOVES.items():
        pitch = _pitch(walk, place + move, notes)
        far = abs(pitch - walk.centre) / 9
        weight *= 2 ** (-(far**3))  # a ninth either way is within a voice's reach, a twelfth hardly
        if pitch % 12 in tones:
            weight *= 6 if first else 3 if strong else 1.2
        if abs(last) >= 3:
            weight *= 2.5 if move * last < 0 and abs(move) <= 2 else 0.4
        elif last and move and move * last > 0:
            weight *= 1.3  # a line that goes somewhere
        weights.append(weight)
    return rng.choices(list(MOVES), weights)[0]


def _pitch(walk: Walk, place: int, notes: Chord) -> int:
    """The scale's step as a pitch, 0 the tonic at 60; a raised seventh in the chord raises the tune's too."""
    pitch = 60 + SCALES[walk.mode][place % 7] + 12 * (place // 7)
    raised = walk.mode == "minor" and pitch % 12 == 10 and any(note % 12 == 11 for note in notes)
    return pitch + raised


def _step_of(walk: Walk, pitch: int) -> int:
    octave, note = divmod(pitch - 60, 12)
    steps = SCALES[walk.mode]
    return 7 * octave + min(range(7), key=lambda step: abs(steps[step] - note))


def _nearest(walk: Walk, notes: Chord, pitch: int) -> int:
    """The step of the chord's note that is nearest to a pitch."""
    tones = {note % 12 for note in notes}
    around = range(_step_of(walk, pitch) - 4, _step_of(walk, pitch) + 5)
    fitting = [step for step in around if _pitch(walk, step, notes) % 12 in tones]
    return min(fitting, key=lambda step: abs(_pitch(walk, step, notes) - pitch))


def _fits(notes: tuple[Note, ...], over: Chord) -> bool:
    tones = {note % 12 for note in over}
    return bool(notes) and notes[0].pitch % 12 in tones
