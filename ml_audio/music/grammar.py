"""What may come next: the metre, the parts that were asked for and the key hold while a piece is decoded.

Bars and parts come in their order, so that their tokens are given and not chosen; the model chooses the notes between
them, and when a part's bar is over (by the token of what follows). A part that has not yet played by its fifth bar, or
by the last one, may not stay silent. With `in_key`, pitches are the scale's, in minor with the raised seventh besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_audio.music.score import DRUMS, DURATIONS, METERS, SCALES
from ml_audio.music.tokens import DRUM_NAMES, END, IDS, LAGS, PITCHES, POSITIONS, VOCABULARY, bar_token

SILENT_BARS = 4
"""How long a part may wait before it plays."""
PART_TOKENS = 96
"""The most that one bar of one part can take: a bar that goes on and on is closed."""
CHORD = 6
"""The most notes of a part at one time."""
MONOPHONIC = ("melody", "bass")

AT = {tick: IDS[f"at {tick}"] for tick in POSITIONS}
FOR = {ticks: IDS[f"for {ticks}"] for ticks in DURATIONS}
SAME = {lag: IDS[f"same {lag}"] for lag in LAGS}
PITCH = {pitch: IDS[f"pitch {pitch}"] for pitch in PITCHES}
DRUM = {pitch: IDS[f"drum {name}"] for pitch, name in DRUM_NAMES.items()}


@dataclass(frozen=True)
class Frame:
    """What is known before the first note: `header` are the ids that the piece begins with."""

    header: tuple[int, ...]
    roles: tuple[str, ...]
    meter: str
    mode: str
    bars: int
    in_key: bool = True


class Grammar:
    """`given` are the tokens to feed next without a choice; then `allowed` is a mask for the next one, for `take`."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.ticks = METERS[frame.meter]
        scale = set(SCALES[frame.mode]) | ({11} if frame.mode == "minor" else set())
        self.pitches = [pitch for pitch in PITCHES if not frame.in_key or pitch % 12 in scale]
        self.played: dict[str, list[bool]] = {role: [] for role in frame.roles}
        self.bar, self.turn = 0, 0
        self.given: list[int] = [*frame.header, IDS[bar_token(0, frame.bars)], IDS[frame.roles[0]]]
        self.done = False
        self._open()

    @property
    def role(self) -> str:
        return self.frame.roles[self.turn]

    def _open(self) -> None:
        """Stand before the first token of a part's bar."""
        self.start, self.duration, self.pitch, self.many, self.spent = -1, 0, -1, 0, 0
        self.last = ""
        self.played[self.role].append(False)

    def _next(self) -> int:
        """The token that ends this bar of this part."""
        if self.turn + 1 < len(self.frame.roles):
            return IDS[self.frame.roles[self.turn + 1]]
        return IDS[bar_token(self.bar + 1, self.frame.bars)] if self.bar + 1 < self.frame.bars else END

    def allowed(self) -> np.ndarray:
        """(V,) bool; never all False."""
        mask = np.zeros(len(VOCABULARY), dtype=bool)
        mask[self._choices()] = True
        return mask

    def _choices(self) -> list[int]:
        if self.last == "":
            return self._beginnings()
        if self.last == "same":
            return [self._next()]
        if self.role == "drums":
            return self._strokes()
        if self.last == "at":
            fits = 0 < self.duration <= self._room()
            return [*self._durations(0), *(self._pitches(-1) if fits else [])]
        if self.last == "for":
            return self._pitches(-1)
        choices = [self._next()]
        if self.spent < PART_TOKENS:
            choices += self._places(self.start + (self.duration if self.role in MONOPHONIC else 1))
            if self.role not in MONOPHONIC and self.many < CHORD:
                choices += [*self._pitches(self.pitch), *self._durations(self.duration)]
        return choices

    def _beginnings(self) -> list[int]:
        played = self.played[self.role]
        late = self.bar >= SILENT_BARS or self.bar == self.frame.bars - 1
        silent = [] if late and not any(played) else [self._next()]
        back = [SAME[lag] for lag in LAGS if lag <= self.bar and played[self.bar - lag]]
        return [*self._places(0), *back, *silent]

    def _strokes(self) -> list[int]:
        strokes = [token for pitch, token in DRUM.items() if pitch > self.pitch]
        if self.last == "at":
            return strokes
        more = [] if self.spent >= PART_TOKENS else [*strokes, *self._places(self.start + 1)]
        return [self._next(), *more]

    def _places(self, earliest: int) -> list[int]:
        return [token for tick, token in AT.items() if earliest <= tick < self.ticks]

    def _durations(self, longer_than: int) -> list[int]:
        """Other than the present one."""
        room = self._room()
        return [token for ticks, token in FOR.items() if longer_than < ticks <= room and ticks != self.duration]

    def _room(self) -> int:
        """How long a note may be: in the last bar all end with it."""
        return self.ticks - self.start if self.bar == self.frame.bars - 1 else max(DURATIONS)

    def _pitches(self, above: int) -> list[int]:
        return [PITCH[pitch] for pitch in self.pitches if pitch > above]

    def take(self, token: int) -> None:
        """Move on by a token that was allowed."""
        if token == self._next():
            self._close(token)
            return
        word, _, value = VOCABULARY[token].partition(" ")
        self.spent += 1
        if word == "at":
            self.start, self.pitch, self.many = int(value), -1, 0
        elif word == "for":
            self.duration, self.pitch = int(value), -1
        else:
            self.played[self.role][-1] = True
            self.many += 1
            if word != "same":
                self.pitch = DRUMS[value] if word == "drum" else int(value)
        self.last = word
        self.given = [token]

    def _close(self, token: int) -> None:
        self.given = [token]
        self.turn += 1
        if self.turn == len(self.frame.roles):
            self.turn = 0
            self.bar += 1
            self.done = self.bar == self.frame.bars
            if self.done:
                return
            self.given.append(IDS[self.frame.roles[0]])
        self._open()


def follows(frame: Frame, ids: Sequence[int]) -> bool:
    """Whether the grammar would let these tokens, header and `end` included, through."""
    grammar = Grammar(frame)
    place = 0
    while True:
        given = grammar.given
        if list(ids[place : place + len(given)]) != given:
            return False
        place += len(given)
        if grammar.done:
            return place == len(ids)
        if place >= len(ids) or not grammar.allowed()[ids[place]]:
            return False
        grammar.take(ids[place])
        place += 1
        grammar.given = grammar.given[1:]  # the one that was taken is behind us
