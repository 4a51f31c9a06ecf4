"""From the grid to a performance: how loud each note is and how far off the beat, as players are.

Accents follow the metre, phrases swell and fall over eight bars, and everybody is a few milliseconds early or late;
the seed makes it the same each time. The mean of the shifts is zero, so the tempo stays what it is.
"""

from dataclasses import dataclass

import numpy as np

from ml_audio.music.score import TICKS, Note, Score

LATENESS_S = 0.006
"""Standard deviation of a player's timing; trained pianists keep to 10 ms and less."""
MOST_LATE_S = 0.015

LEVEL = {"melody": 96, "harmony": 70, "pad": 60, "bass": 84, "drums": 88}
"""MIDI velocity of a plain note of each role."""
SWELL = {"epic": 1.12, "calm": 0.86, "sad": 0.88, "tense": 1.04}
"""How loud a mood is played, beside the others."""
SOFT_DRUMS = {42: 0.62, 51: 0.7, 46: 0.7, 37: 0.8}
"""Hats, ride and rim are struck less hard than kick and snare."""


@dataclass(frozen=True)
class Event:
    """A note as it is played: `start_s` from the beginning, `velocity` 1 … 127."""

    role: str
    instrument: str
    pitch: int
    start_s: float
    duration_s: float
    velocity: int


def perform(score: Score, seed: int) -> list[Event]:
    draw = np.random.default_rng(seed)
    tick_s = 60 / score.tempo_bpm / TICKS
    events: list[Event] = []
    for part in score.parts:
        late: dict[int, float] = {}  # a chord is struck by one hand
        for note in part.notes:
            if note.start not in late:
                late[note.start] = float(np.clip(draw.normal(0, LATENESS_S), -MOST_LATE_S, MOST_LATE_S))
            velocity = round(loudness(score, part.role, note) + draw.normal(0, 2.5))
            events.append(
                Event(
                    part.role,
                    part.instrument,
                    note.pitch,
                    max(0.0, note.start * tick_s + late[note.start]),
                    note.duration * tick_s,
                    min(127, max(1, velocity)),
                )
            )
    return sorted(events, key=lambda event: event.start_s)


def loudness(score: Score, role: str, note: Note) -> float:
    """The velocity of a note before a player's chance: metre, phrase, mood and role."""
    place = note.start % score.bar_ticks
    beat = 18 if score.meter in ("6/8", "9/8", "12/8") else TICKS
    accent = 1.0 if place == 0 else 0.92 if place % beat == 0 else 0.82
    bar = note.start // score.bar_ticks
    arch = 1 + 0.06 * np.sin(np.pi * (bar % 8 + 0.5) / 8)
    softer = SOFT_DRUMS.get(note.pitch, 1.0) if role == "drums" else 1.0
    return LEVEL[role] * accent * arch * SWELL.get(score.mood or "", 1.0) * softer
