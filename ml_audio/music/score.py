"""A piece as notes on a grid: what the composer writes, tokens and MIDI carry, and the synthesiser plays.

Time is counted in ticks, 12 to a quarter note, so that sixteenths (3) and triplet eighths (4) both fall on it.
"""

import math
from dataclasses import dataclass, field
from itertools import groupby

TICKS = 12
"""Ticks per quarter note."""

METERS = {"4/4": 48, "3/4": 36, "6/8": 36, "2/4": 24, "9/8": 54, "5/4": 60, "12/8": 72}
"""Ticks of a bar."""

DURATIONS = (2, 3, 4, 6, 8, 9, 12, 16, 18, 20, 24, 30, 36, 48, 54, 72)
"""The ticks that a note can last."""

MOODS = ("happy", "sad", "calm", "epic", "tense", "playful")
STYLES = ("pop", "rock", "folk", "classical", "jazz", "lofi", "orchestral", "ambient")
MODES = ("major", "minor")
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic; minor is the natural one."""

INSTRUMENTS = ("piano", "guitar", "strings", "bass", "drums")
ROLES = ("drums", "bass", "harmony", "pad", "melody")
"""What a part does, in the order in which a bar is written: melodies are made over what is below them."""

DRUMS = {"kick": 36, "snare": 38, "rim": 37, "hat": 42, "open": 46, "crash": 49, "ride": 51, "low": 45, "high": 50}
"""General MIDI's notes for the drums that are played."""


@dataclass(frozen=True, order=True)
class Note:
    """`start` and `duration` in ticks; `pitch` a MIDI note, of drums a value of DRUMS."""

    start: int
    pitch: int
    duration: int


@dataclass(frozen=True)
class Part:
    role: str
    instrument: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Score:
    """`tempo_bpm` counts quarter notes, as MIDI does; `mood` and `style` are None where nobody has said."""

    tempo_bpm: float
    meter: str
    tonic: int
    mode: str
    bars: int
    parts: tuple[Part, ...]
    mood: str | None = None
    style: str | None = None
    bar_ticks: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bar_ticks", METERS[self.meter])

    @property
    def key(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"

    @property
    def instruments(self) -> tuple[str, ...]:
        return tuple(name for name in INSTRUMENTS if any(part.instrument == name for part in self.parts))

    @property
    def bar_s(self) -> float:
        return self.bar_ticks / TICKS * 60 / self.tempo_bpm

    def part(self, role: str) -> Part | None:
        return next((part for part in self.parts if part.role == role), None)


def split_bars(score: Score, part: Part) -> list[tuple[Note, ...]]:
    """The notes that begin in each bar, with `start` counted from the bar's."""
    bars: list[tuple[Note, ...]] = [()] * score.bars
    for number, notes in groupby(sorted(part.notes), lambda note: note.start // score.bar_ticks):
        if number < score.bars:
            offset = number * score.bar_ticks
            bars[number] = tuple(Note(note.start - offset, note.pitch, note.duration) for note in notes)
    return bars


def whole_duration(ticks: int) -> int:
    """The longest of DURATIONS that is not longer, or the shortest."""
    return max((one for one in DURATIONS if one <= ticks), default=DURATIONS[0])


def shift_of(tonic: int) -> int:
    """Semitones from a piece on C to one on `tonic`, the nearer way: -5 … 6."""
    return tonic if tonic <= 6 else tonic - 12


def bars_in(duration_s: float, tempo_bpm: float, meter: str) -> int:
    """Whole bars that fit, at least one."""
    return max(1, math.floor(duration_s * tempo_bpm / 60 * TICKS / METERS[meter] + 1e-6))


def share_in_key(score: Score) -> float:
    """The part of all pitched notes whose pitch class is one of the key's seven; 1 if there are none."""
    scale = {(score.tonic + step) % 12 for step in SCALES[score.mode]}
    pitches = [note.pitch for part in score.parts if part.role != "drums" for note in part.notes]
    return sum(pitch % 12 in scale for pitch in pitches) / len(pitches) if pitches else 1.0
