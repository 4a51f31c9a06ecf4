"""From a recogniser's probabilities to letters: the likeliest path, a beam that knows words, and forced alignment.

CTC: https://www.cs.toronto.edu/~graves/icml_2006.pdf. Shapes: T frames, V letters with the blank, L letters of a text.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NEVER = -1e30


@dataclass(frozen=True)
class Placed:
    token: int
    first: int
    """Frame at which it begins, and …"""
    last: int
    """… the last one that it fills."""


def collapse(best: Sequence[int], blank: int = 0) -> list[Placed]:
    """The likeliest token of each frame, runs taken as one and blanks left out."""
    placed: list[Placed] = []
    before = blank
    for frame, token in enumerate(best):
        if token == before and token != blank:
            placed[-1] = Placed(token, placed[-1].first, frame)
        elif token != blank:
            placed.append(Placed(token, frame, frame))
        before = token
    return placed


def align(log_probs: np.ndarray, labels: Sequence[int], blank: int = 0) -> list[Placed] | None:
    """(T, V), L labels -> where each is said, on the likeliest path (Viterbi); None where T is too short for them."""
    states = [blank]
    for label in labels:
        states += [label, blank]
    emitted = log_probs[:, states]  # (T, 2L + 1)
    skips = np.array([i >= 2 and state != blank and state != states[i - 2] for i, state in enumerate(states)])
    score = np.full(len(states), NEVER)
    score[: min(2, len(states))] = emitted[0, : min(2, len(states))]
    steps = np.zeros(emitted.shape, np.int8)
    for frame in range(1, len(emitted)):
        one = np.concatenate([[NEVER], score[:-1]])
        two = np.where(skips, np.concatenate([[NEVER, NEVER], score])[: len(states)], NEVER)
        ways = np.stack([score, one, two])
        steps[frame] = ways.argmax(0)
        score = ways.max(0) + emitted[frame]
    state = len(states) - 1
    if len(states) > 1 and score[-2] > score[-1]:
        state -= 1
    if score[state] <= NEVER / 2:
        return None
    path = np.empty(len(emitted), np.int64)
    for frame in range(len(emitted) - 1, -1, -1):
        path[frame] = state
        state -= steps[frame, state]
    found: list[Placed] = []
    for i, label in enumerate(labels):
        frames = np.flatnonzero(path == 2 * i + 1)
        found.append(Placed(label, int(frames[0]), int(frames[-1])))
    return found


@dataclass(frozen=True)
class WordList:
    """How likely words are, as log-probabilities, and what one costs that is not in the list."""

    words: Mapping[str, float]
    letter: float = -2.6
    """Log-probability per letter of an unknown word: a little less than even odds among the letters."""
    weight: float = 0.5
    """Of the words against the sound."""

    def score(self, word: str) -> float:
        return self.words.get(word, self.letter * (len(word) + 1) - 4.0)


@dataclass
class _Beam:
    blank: float
    """Log-probability of all paths that end in a blank, and …"""
    letter: float
    """… in the last letter."""
    words: float = 0.0
    """Of the whole words in it, by the list."""

    @property
    def sound(self) -> float:
        return float(np.logaddexp(self.blank, self.letter))


def search(
    log_probs: np.ndarray,
    alphabet: Sequence[str],
    space: str = "|",
    blank: int = 0,
    width: int = 16,
    words: WordList | None = None,
    floor: float = -7.0,
) -> str:
    """(T, V) -> the likeliest text, paths that say the same added up (https://arxiv.org/abs/1408.2873).

    With `words` each finished word counts by the list. Letters below `floor` are not tried.
    """
    beams: dict[str, _Beam] = {"": _Beam(0.0, NEVER)}
    weight = words.weight if words else 0.0
    for frame in log_probs:
        tried = [int(token) for token in np.flatnonzero(frame > floor) if token != blank]
        grown: dict[str, _Beam] = {}
        for text, beam in beams.items():
            same = grown.setdefault(text, _Beam(NEVER, NEVER, beam.words))
            same.blank = float(np.logaddexp(same.blank, beam.sound + frame[blank]))
            for token in tried:
                letter = alphabet[token]
                letter = " " if letter == space else letter
                said = frame[token]
                if text and text[-1] == letter:
                    same.letter = float(np.logaddexp(same.letter, beam.letter + said))
                    said = beam.blank + said
                else:
                    said = beam.sound + said
                if letter == " " and (not text or text[-1] == " "):
                    continue
                new = grown.get(text + letter)
                if new is None:
                    score = beam.words
                    if words and letter == " ":
                        score += words.score(text.rpartition(" ")[2])
                    new = grown[text + letter] = _Beam(NEVER, NEVER, score)
                new.letter = float(np.logaddexp(new.letter, said))
        ranked = sorted(grown.items(), key=lambda item: -(item[1].sound + weight * item[1].words))
        beams = dict(ranked[:width])
    return max(beams, key=lambda text: beams[text].sound + weight * _final(text, beams[text], words)).strip()


def _final(text: str, beam: _Beam, words: WordList | None) -> float:
    last = text.strip().rpartition(" ")[2]
    if words is None or not last or text.endswith(" "):
        return beam.words
    return beam.words + words.score(last)


def frequencies(counts: Mapping[str, int]) -> dict[str, float]:
    """How often each word was seen -> log-probabilities, the rare ones lifted (square root of the counts)."""
    total = sum(math.sqrt(count) for count in counts.values())
    return {word: 0.5 * math.log(count) - math.log(total) for word, count in counts.items() if count > 0}
