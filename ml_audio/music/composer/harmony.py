"""Chords: what follows what, and where the fingers lie.

A chord is the semitones of its notes above the tonic, root first.
"""

import random

from ml_audio.music.score import SCALES

Chord = tuple[int, ...]

PROGRESSIONS: dict[str, dict[str, tuple[tuple[int, ...], ...]]] = {
    "major": {
        "plain": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (0, 3, 4, 0), (5, 3, 0, 4), (0, 2, 3, 4), (0, 0, 3, 4)),
        "folk": ((0, 0, 3, 4), (0, 3, 0, 4), (0, 4, 0, 4), (0, 0, 4, 4), (0, 5, 3, 4), (0, 3, 4, 4), (0, 0, 1, 4)),
        "jazz": ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 2, 5), (3, 4, 2, 5), (1, 4, 0, 0)),
        "still": ((0, 3, 0, 3), (0, 5, 3, 3), (3, 0, 3, 0), (0, 2, 3, 0), (0, 0, 5, 3)),
    },
    "minor": {
        "plain": ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 4), (0, 5, 3, 4), (5, 6, 0, 0), (0, 2, 5, 6), (0, 0, 5, 6)),
        "folk": ((0, 6, 0, 4), (0, 0, 6, 4), (0, 6, 5, 4), (0, 3, 6, 0), (0, 2, 6, 4), (0, 0, 3, 4)),
        "jazz": ((0, 3, 6, 2), (5, 3, 4, 0), (0, 5, 3, 4), (3, 6, 2, 5), (0, 0, 3, 4)),
        "still": ((0, 5, 0, 5), (0, 6, 5, 5), (0, 3, 0, 5), (5, 5, 0, 0), (0, 2, 5, 0)),
    },
}
"""Steps of the scale from the tonic, a chord a bar; by the kind of harmony that a style wants."""

CLOSES = ((3, 4, 0), (1, 4, 0), (5, 4, 0), (3, 3, 0), (4, 4, 0))
"""How a section comes home: the last three bars of its phrase."""


def chord(step: int, mode: str, sevenths: bool = False, leading: bool = False) -> Chord:
    """The triad, or with `sevenths` four notes, on a step of the scale; `leading` raises a minor key's seventh."""
    scale = [11 if leading and mode == "minor" and note == 10 else note for note in SCALES[mode]]
    return tuple(
        scale[(step + third) % 7] + 12 * ((step + third) // 7) for third in ((0, 2, 4, 6) if sevenths else (0, 2, 4))
    )


def phrase_chords(rng: random.Random, mode: str, kind: str, sevenths: bool) -> list[Chord]:
    """Four bars that ask."""
    return [chord(step, mode, sevenths) for step in rng.choice(PROGRESSIONS[mode][kind])]


def closing_chords(rng: random.Random, opening: list[Chord], mode: str, sevenths: bool) -> list[Chord]:
    """The same four bars, which now answer: they end on the tonic."""
    steps = rng.choice(CLOSES)
    leading = rng.random() < 0.5
    return [opening[0], *(chord(step, mode, sevenths and step != 0, leading and step == 4) for step in steps)]


def voice(notes: Chord, before: tuple[int, ...] | None, low: int, high: int) -> tuple[int, ...]:
    """The chord's notes as pitches between `low` and `high`, as near as they come to those `before`."""
    centre = sum(before) / len(before) if before else (low + high) / 2
    choices: list[tuple[int, ...]] = []
    for bass in range(low, high):
        if bass % 12 not in {note % 12 for note in notes}:
            continue
        stack = tuple(sorted(_above(note, bass) for note in notes))
        if stack[-1] <= high:
            choices.append(stack)
    if before:
        return min(choices, key=lambda stack: (_distance(stack, before), stack))
    return min(choices, key=lambda stack: (abs(sum(stack) / len(stack) - centre), stack))


def _above(note: int, bass: int) -> int:
    return bass + (note - bass) % 12


def _distance(stack: tuple[int, ...], before: tuple[int, ...]) -> int:
    return sum(min(abs(note - other) for other in before) for note in stack)
