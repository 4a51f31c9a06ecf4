"""From a recogniser's probabilities to letters: the likeliest path, a beam that knows words, and forced alignment.

CTC: https://www.cs.toronto.edu/~graves/icml_2006.pdf. Shapes: T frames, V letters with the blank, L letters of a text.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
        state -= int(steps[frame, state])
    found: list[Placed] = []
    for i, label in enumerate(labels):
        frames = np.flatnonzero(path == 2 * i + 1)
        found.append(Placed(label, int(frames[0]), int(frames[-1])))
    return found


@dataclass(frozen=True)
class WordList:
    """How likely words are, as log-probabilities, and what one costs that is not in the list."""

    words: Mapping[str, float]
    pairs: Mapping[str, float] = field(default_factory=dict[str, float])
    """ "previous word": of the word behind that one; " word" of one at the beginning."""
    unknown: float = -3.0
    """Log-probability per letter that no word of the list goes on with."""
    bonus: float = 7.0
    """Per word: else few long words would beat many short ones."""
    weight: float = 0.5
    """Of the words against the sound."""
    unseen: float = -1.0
    """Added to a word's own log-probability where its pair is not listed (stupid backoff,
    https://aclanthology.org/D07-1090)."""

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return frozenset(word[:end] for word in self.words for end in range(1, len(word) + 1))

    def whole(self, text: str) -> float:
        """Of the last word of `text`, which has ended."""
        rest, _, word = text.rpartition(" ")
        known = self.pairs.get(f"{rest.rpartition(' ')[2]} {word}")
        if known is None:
            known = self.words.get(word, -12.0 + self.unknown * len(word)) + (self.unseen if self.pairs else 0.0)
        return self.weight * (self.bonus + known)

    def part(self, letters: str) -> float:
        """Of a word that may go on."""
        return 0.0 if not letters or letters in self.beginnings else self.weight * self.unknown * len(letters)


NO_WORDS = WordList({}, weight=0.0)


def search(
    log_probs: np.ndarray,
    alphabet: Sequence[str],
    space: str = "|",
    blank: int = 0,
    width: int = 12,
    words: WordList | None = None,
    floor: float = -5.0,
) -> str:
    """(T, V) -> the likeliest text, paths that say the same added up (https://arxiv.org/abs/1408.2873).

    With `words` each word counts by the list as soon as it has ended, and what begins no word costs at once. Letters
    below `floor` are not tried.
    """
    listed = words or NO_WORDS
    letters = [" " if letter == space else letter for letter in alphabet]
    beams: dict[str, tuple[float, float]] = {"": (0.0, NEVER)}  # of paths that end in a blank, and in the last letter
    ended: dict[str, float] = {"": 0.0}  # of the whole words in it
    for frame in log_probs.tolist():
        silent = frame[blank]
        tried = [(letters[token], odds) for token, odds in enumerate(frame) if odds > floor and token != blank]
        grown: dict[str, tuple[float, float]] = {}
        for text, (blanks, lasts) in beams.items():
            both = _add(blanks, lasts)
            old = grown.get(text, (NEVER, NEVER))
            grown[text] = (_add(old[0], both + silent), old[1])
            for letter, odds in tried:
                if text.endswith(letter) and letter != " ":  # the same goes on, or a blank has parted two of them
                    kept = grown[text]
                    grown[text] = (kept[0], _add(kept[1], lasts + odds))
                    said = blanks + odds
                elif letter == " " and (not text or text.endswith(" ")):
                    if text:
                        kept = grown[text]
                        grown[text] = (kept[0], _add(kept[1], lasts + odds))
                    continue
                else:
                    said = both + odds
                longer = text + letter
                old = grown.get(longer, (NEVER, NEVER))
                grown[longer] = (old[0], _add(old[1], said))
                if longer not in ended:
                    ended[longer] = ended[text] + (listed.whole(text) if letter == " " else 0.0)
        best = heapq.nlargest(width, grown, key=lambda text: _add(*grown[text]) + ended[text] + _open(text, listed))
        beams = {text: grown[text] for text in best}
        ended = {text: ended[text] for text in best}
    return max(beams, key=lambda text: _add(*beams[text]) + ended[text] + _last(text, listed)).strip()


def _add(one: float, other: float) -> float:
    """log(exp(one) + exp(other)), five times faster than numpy's for two numbers."""
    high, low = (one, other) if one > other else (other, one)
    return high + math.log1p(math.exp(low - high)) if high - low < 40 else high


def _open(text: str, words: WordList) -> float:
    return words.part(text.rpartition(" ")[2]) if words.weight else 0.0


def _last(text: str, words: WordList) -> float:
    return words.whole(text) if words.weight and text and not text.endswith(" ") else 0.0


def list_words(counts: Mapping[str, int]) -> WordList:
    """How often each word was seen, and each "word after it", " word" at a beginning: -> their log-probabilities.

    Those of the words are lifted where they are rare (square root of the counts); pairs may be left out.
    """
    words = {word: count for word, count in counts.items() if " " not in word and count > 0}
    total = sum(math.sqrt(count) for count in words.values())
    pairs = {pair: count for pair, count in counts.items() if " " in pair and count > 0}
    before = {**words, "": sum(count for pair, count in pairs.items() if pair.startswith(" "))}
    alone = {word: 0.5 * math.log(count) - math.log(total) for word, count in words.items()}
    behind = {
        pair: math.log(count / before[first])
        for pair, count in pairs.items()
        if (first := pair.split(" ")[0]) in before
    }
    # pairs are surer of themselves than words: weights as measured, see LOG.md
    return WordList(alone, behind, bonus=5.0, weight=0.7) if behind else WordList(alone)
