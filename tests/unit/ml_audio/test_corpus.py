"""Sentences, and how espeak-ng says them."""

import json
import os
from random import Random

import numpy as np
import pytest

from ml_audio.corpus import lexicon, phonemes, sentences, voices, words
from ml_audio.corpus.__main__ import held_out, main
from ml_audio.corpus.espeak import PAUSE, Espeak
from ml_audio.data.hearing import HeardRows, phoneme_numbers
from ml_audio.data.ragged import Shards


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    pytest.importorskip("espeakng_loader", reason="makes training data only")
    return Espeak()


def test_sentences_are_as_they_are_read_out_and_vary():
    made = [sentences.make(Random(seed)) for seed in range(300)]
    assert len(set(made)) > 250 and not set("".join(made)) - set("abcdefghijklmnopqrstuvwxyz',.?! ")
    assert sum(held_out(text) for text in made) < 40


def test_forms_follow_by_rule():
    assert [words.past(verb) for verb in ("stop", "carry", "bake", "play", "run")] == [
        "stopped",
        "carried",
        "baked",
        "played",
        "ran",
    ]
    assert [words.gerund(verb) for verb in ("run", "bake", "lie", "see")] == ["running", "baking", "lying", "seeing"]
    assert [words.plural(noun) for noun in ("box", "city", "boy", "child")] == ["boxes", "cities", "boys", "children"]
    assert [words.article(word) for word in ("hour", "horse", "useful", "apple")] == ["an", "a", "a", "an"]


def test_prose_is_read_and_code_left_out(tmp_path):
    (tmp_path / "a.md").write_text(
        "The cat sat on a mat. It cost me and my dear old dad $5.\n\nx = {1: [2]}; y(z)\n\nNo\n"
    )
    assert sentences.read([tmp_path / "a.md"]) == [
        "the cat sat on a mat.",
        "it cost me and my dear old dad five dollars.",
    ]


def test_pauses_are_named_by_their_marks():
    said = ["s", PAUSE, "a", PAUSE, PAUSE, "b", PAUSE, PAUSE]
    assert phonemes.named("s a, b?", said) == ["s", "a", ",", "b", "?"]
    assert phonemes.named("s a, b", said) == ["s", "a", ",", "b", "."]
    assert phonemes.named("s a b", said) is None


def test_speech_and_its_times(espeak):
    text = "is the end near, or not?"
    speech = espeak.say(text, voices.VOICES["clara"])
    aligned = phonemes.align(text, speech, 100)
    assert aligned is not None
    names, durations = aligned
    assert names[-1] == "?" and "," in names and durations.sum() == 100 and (durations >= 0).all()
    assert 1 < len(speech.samples) / 16_000 < 4 and np.abs(speech.samples).max() > 0.05
    with pytest.raises(ValueError, match="no voice"):
        espeak.say("hello", "xx-nowhere")


def test_a_lexicon_tells_the_article_before_vowels(espeak):
    texts = [f"the {word} was here." for word in ("end", "apple", "oven", "cat", "dog", "tree", "boat")]
    found = lexicon.build(texts, ["banana"], espeak, "en-us")
    assert found["the"] == ["ð", "ə"] and found["the^"] == ["ð", "ɪ"]
    assert found["banana"] == ["b", "ɐ", "n", "ˈæ", "n", "ə"]


@pytest.mark.parametrize("kind", ["voice", "recogniser"])
def test_shards_are_made_once_and_can_be_learnt_from(tmp_path, espeak, kind):
    options = [kind, str(tmp_path), "--utterances", "3"]
    assert main(options) == 0
    (folder,) = tmp_path.iterdir()
    made = os.stat(folder).st_mtime_ns
    assert main(options) == 0 and os.stat(folder).st_mtime_ns == made
    shards = Shards.load([folder])
    assert len(shards) == 3
    if kind == "voice":
        assert (shards.lengths("durations") > 0).all()
        assert [shards.get("durations", place).sum() for place in range(3)] == shards.lengths("mel").tolist()
    else:
        rows = HeardRows(shards, np.arange(3), [np.array([4, 5])] * 3, 3, 2, 1.0, phoneme_numbers(shards))
        batch = rows.batch(np.array([0]))
        assert batch["input_features"].shape[2] == 240 and batch["phonemes"].max() > 0


def test_lists_of_words(tmp_path, espeak):
    assert main(["words", str(tmp_path / "words.json"), "--utterances", "20"]) == 0
    counts = json.loads((tmp_path / "words.json").read_text())
    assert counts and min(counts.values()) >= 1
