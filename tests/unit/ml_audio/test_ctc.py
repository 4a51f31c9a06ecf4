"""Letters out of probabilities, against brute force."""

import itertools

import numpy as np
import pytest

from ml_audio.models import ctc

ALPHABET = ["<pad>", "|", "a", "b"]


def odds(frames: int, seed: int) -> np.ndarray:
    x = 2 * np.random.default_rng(seed).standard_normal((frames, len(ALPHABET)))
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def text_of(path: tuple[int, ...]) -> str:
    return "".join(ALPHABET[place.token] for place in ctc.collapse(path)).replace("|", " ")


def test_collapse_takes_runs_as_one_and_keeps_doubles_that_a_blank_parts():
    placed = ctc.collapse([0, 2, 2, 0, 2, 3, 3, 3, 0])
    assert [(one.token, one.first, one.last) for one in placed] == [(2, 1, 2), (2, 4, 4), (3, 5, 7)]


@pytest.mark.parametrize("seed", range(5))
def test_the_beam_finds_the_text_whose_paths_add_up_to_most(seed):
    log_probs = odds(5, seed)
    sums: dict[str, float] = {}
    for path in itertools.product(range(4), repeat=5):
        text = text_of(path)
        if not text.startswith(" ") and "  " not in text:  # the beam says one space at a time, and none first
            score = sum(log_probs[frame, token] for frame, token in enumerate(path))
            sums[text] = np.logaddexp(sums.get(text, -np.inf), score)
    assert ctc.search(log_probs, ALPHABET, width=400, floor=-99) == max(sums, key=lambda text: sums[text]).strip()


def test_words_decide_between_what_sounds_alike():
    log_probs = np.log(np.array([[0.02, 0.02, 0.94, 0.02], [0.02, 0.02, 0.46, 0.50], [0.94, 0.02, 0.02, 0.02]]))
    log_probs[1] = np.log([0.02, 0.02, 0.02, 0.94])
    sure = ctc.search(log_probs, ALPHABET)
    assert sure == "ab"
    unsure = np.log(np.array([[0.02, 0.02, 0.94, 0.02], [0.9, 0.02, 0.04, 0.04], [0.02, 0.02, 0.45, 0.51]]))
    assert ctc.search(unsure, ALPHABET) == "ab"
    assert ctc.search(unsure, ALPHABET, words=ctc.WordList({"aa": -1.0}, weight=1.0)) == "aa"


@pytest.mark.parametrize("seed", range(4))
def test_alignment_is_the_likeliest_path_that_says_the_text(seed):
    log_probs, labels = odds(6, seed), [2, 2, 3]
    paths = [path for path in itertools.product(range(4), repeat=6) if [p.token for p in ctc.collapse(path)] == labels]
    best = max(paths, key=lambda path: sum(log_probs[frame, token] for frame, token in enumerate(path)))
    assert ctc.align(log_probs, labels) == ctc.collapse(best)


def test_a_text_that_is_too_long_for_its_frames_has_no_alignment():
    assert ctc.align(odds(2, 0), [2, 3, 2]) is None
    assert ctc.align(odds(4, 0), []) == []


def test_a_long_text_is_aligned_too():
    labels = [2, 3] * 100
    log_probs = np.full((400, 4), -9.0)
    log_probs[np.arange(400), np.repeat(labels, 2)] = -0.01
    placed = ctc.align(log_probs, labels)
    assert placed and [(one.first, one.last) for one in placed] == [(2 * i, 2 * i + 1) for i in range(200)]


def test_frequent_words_are_likelier_and_more_so_behind_what_they_follow():
    listed = ctc.list_words({"the": 25, "cat": 9, "cap": 9, " the": 10, "the cat": 9, "gone cat": 4})
    assert listed.words["the"] > listed.words["cat"] > listed.whole("zzzz") / listed.weight - listed.bonus
    assert listed.whole("the cat") > listed.whole("the cap") == listed.whole("cat cap")
    assert listed.pairs[" the"] == 0.0 and "gone cat" not in listed.pairs
    assert ctc.list_words({"cat": 9}).whole("the cat") == ctc.list_words({"cat": 9}).whole("cat")
