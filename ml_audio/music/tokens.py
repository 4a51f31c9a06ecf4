"""Scores as tokens, bar by bar and part by part, after REMI (https://arxiv.org/abs/2002.00212).

    mood style mode tempo meter  role=instrument …  then for each bar:
    bar K | last K   and for each part:   role   same N | (at T  for D  pitch … )…

Pitches are counted from the tonic, so a key is learnt once and not twelve times. `for` stands where a duration differs
from the one before it in the bar. `same N` says that a bar is the one N bars earlier: repetition, which is most of a
form, costs one token and can be learnt. `bar K` counts the bars of an eight-bar phrase; `last K` are the last four, so
that a piece knows when to close. Loudness is no part of it: accents follow from metre and role when it is played.
"""

from collections.abc import Iterable, Sequence

from ml_audio.music.score import (
    DRUMS,
    DURATIONS,
    METERS,
    MODES,
    MOODS,
    ROLES,
    STYLES,
    Note,
    Part,
    Score,
    shift_of,
    split_bars,
)

POSITIONS = tuple(tick for tick in range(max(METERS.values())) if tick % 3 == 0 or tick % 4 == 0)
PITCHES = range(24, 100)
"""As if the tonic were C."""
LAGS = (1, 2, 4, 8, 12, 16, 24, 32)
"""How many bars back `same` can look."""
TEMPOS = (70, 80, 90, 100, 110, 120, 132, 150)
"""Upper ends of the tempo tokens, in quarter notes per minute; the last one is open."""

ENSEMBLE = tuple(f"{role}={name}" for role in ("melody", "harmony", "pad") for name in ("piano", "guitar", "strings"))
VOCABULARY: tuple[str, ...] = (
    "pad",
    "end",
    "mood any",
    *(f"mood {name}" for name in MOODS),
    "style any",
    *(f"style {name}" for name in STYLES),
    *MODES,
    *(f"tempo {number}" for number in range(len(TEMPOS) + 1)),
    *(f"meter {name}" for name in METERS),
    *ENSEMBLE,
    "bass=bass",
    "drums=drums",
    *(f"bar {number}" for number in range(1, 9)),
    *(f"last {number}" for number in range(1, 5)),
    *ROLES,
    *(f"same {lag}" for lag in LAGS),
    *(f"at {tick}" for tick in POSITIONS),
    *(f"for {ticks}" for ticks in DURATIONS),
    *(f"drum {name}" for name in DRUMS),
    *(f"pitch {pitch}" for pitch in PITCHES),
)
IDS = {token: number for number, token in enumerate(VOCABULARY)}
PAD, END = IDS["pad"], IDS["end"]
DRUM_NAMES = {pitch: name for name, pitch in DRUMS.items()}


def header(score: Score) -> list[str]:
    """What a piece is asked to be. Its parts follow in the order of ROLES."""
    return [
        f"mood {score.mood or 'any'}",
        f"style {score.style or 'any'}",
        score.mode,
        tempo_token(score.tempo_bpm),
        f"meter {score.meter}",
        *(f"{part.role}={part.instrument}" for part in in_order(score.parts)),
    ]


def tempo_token(tempo_bpm: float) -> str:
    return f"tempo {sum(tempo_bpm > limit for limit in TEMPOS)}"


def in_order(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: ROLES.index(part.role))


def bar_token(number: int, bars: int) -> str:
    """The token before bar `number` (from 0) of `bars`; phrases are counted from the end."""
    left = bars - number
    return f"last {5 - left}" if left <= 4 else f"bar {8 - (left - 5) % 8}"


def encode(score: Score) -> list[int]:
    """Token ids of the whole piece, `end` included."""
    words = header(score)
    shift = shift_of(score.tonic)
    parts = [(part.role, split_bars(score, part)) for part in in_order(score.parts)]
    for number in range(score.bars):
        words.append(bar_token(number, score.bars))
        for role, bars in parts:
            words += [role, *_bar(bars, number, role, shift)]
    return [IDS[word] for word in [*words, "end"]]


def _bar(bars: Sequence[tuple[Note, ...]], number: int, role: str, shift: int) -> list[str]:
    notes = bars[number]
    if not notes:
        return []
    for lag in LAGS:
        if lag <= number and bars[number - lag] == notes:
            return [f"same {lag}"]
    words: list[str] = []
    start, duration = -1, 0
    ordered = sorted(notes, key=lambda note: (note.start, note.duration, note.pitch))
    for note in ordered:
        if note.start != start:
            start = note.start
            words.append(f"at {start}")
        if role == "drums":
            words.append(f"drum {DRUM_NAMES[note.pitch]}")
            continue
        if note.duration != duration:
            duration = note.duration
            words.append(f"for {duration}")
        words.append(f"pitch {note.pitch - shift}")
    return words


def decode(ids: Iterable[int], tempo_bpm: float, tonic: int) -> Score:
    """The piece that the tokens write, as far as they go; words that make no sense where they stand are passed over."""
    reader = _Reader(shift_of(tonic))
    for number in ids:
        if number == END:
            break
        reader.read(VOCABULARY[number])
    return reader.score(tempo_bpm, tonic)


class _Reader:
    """Where reading stands: the head of the piece, then the bar, the part, the place and the duration."""

    def __init__(self, shift: int) -> None:
        self.shift = shift
        self.head = {"mood": "any", "style": "any", "mode": "major", "meter": "4/4"}
        self.instruments: dict[str, str] = {}
        self.bars: dict[str, list[list[Note]]] = {}
        self.count = 0
        self.role: str | None = None
        self.start: int | None = None
        self.duration = 0

    def read(self, word: str) -> None:
        kind, _, value = word.partition(" ")
        role, _, instrument = word.partition("=")
        if instrument:
            self.instruments[role] = instrument
            self.bars[role] = []
        elif kind in MODES:
            self.head["mode"] = kind
        elif kind in self.head:
            self.head[kind] = value
        elif kind in ("bar", "last"):
            self.count += 1
            for bars in self.bars.values():
                bars.append([])
            self.role = None
        elif kind in ROLES:
            self.role, self.start, self.duration = (kind if kind in self.bars else None), None, 0
        elif self.role is not None and self.count:
            self._note(kind, value, self.bars[self.role])

    def _note(self, kind: str, value: str, bars: list[list[Note]]) -> None:
        if kind == "same" and len(bars) > int(value):
            bars[-1] = list(bars[-1 - int(value)])
        elif kind == "at":
            self.start = int(value)
        elif kind == "for":
            self.duration = int(value)
        elif kind == "drum" and self.start is not None:
            bars[-1].append(Note(self.start, DRUMS[value], 3))
        elif kind == "pitch" and self.start is not None and self.duration:
            bars[-1].append(Note(self.start, int(value) + self.shift, self.duration))

    def score(self, tempo_bpm: float, tonic: int) -> Score:
        ticks = METERS[self.head["meter"]]
        parts = [Part(role, name, tuple(_placed(self.bars[role], ticks))) for role, name in self.instruments.items()]
        mood, style = (None if self.head[name] == "any" else self.head[name] for name in ("mood", "style"))
        return Score(
            tempo_bpm, self.head["meter"], tonic, self.head["mode"], self.count, tuple(in_order(parts)), mood, style
        )


def _placed(bars: list[list[Note]], ticks: int) -> list[Note]:
    placed = [
        Note(note.start + number * ticks, note.pitch, note.duration)
        for number, bar in enumerate(bars)
        for note in dict.fromkeys(bar)
    ]
    return sorted(placed)
