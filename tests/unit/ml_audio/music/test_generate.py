"""Prompts become briefs, briefs pieces that keep to them, with a model that knows nothing; and they can be heard."""

import random

import numpy as np
import pytest
import torch

from ml_audio.music.brief import Brief, check, read_prompt, settle
from ml_audio.music.decoder import Decoder
from ml_audio.music.generate import choose, generate_music, write_score
from ml_audio.music.interchange import from_midi
from ml_audio.music.model import build, load, save
from ml_audio.music.score import share_in_key
from shared.errors import InvalidRequest


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(width=16, layers=1, heads=2, intermediate=32).eval()


@pytest.mark.parametrize(
    ("prompt", "brief"),
    [
        (
            "a sad piano ballad in D minor at 70 bpm",
            Brief("sad", None, "minor", 2, 70.0, None, ("piano",)),
        ),
        ("Upbeat rock with guitars, bass and drums", Brief("happy", "rock", instruments=("guitar", "bass", "drums"))),
        ("epic trailer, 3/4, B flat major", Brief("epic", "orchestral", "major", 10, meter="3/4")),
        ("lofi beat without drums or bass in F#m", Brief(None, "lofi", "minor", 6, without=("bass", "drums"))),
        ("a slow waltz for violins in Eb", Brief(None, "classical", None, 3, None, "3/4", ("strings",), pace=0.8)),
        ("something", Brief()),
    ],
)
def test_a_prompt_is_read(prompt, brief):
    assert read_prompt(prompt) == brief


def test_what_cannot_be_played_is_refused_by_name():
    for prompt in (
        "music at 5 bpm",
        "at 999 bpm",
        "a tune in 7/8",
        "no piano, no guitar, no strings, no bass, no drums",
    ):
        with pytest.raises(InvalidRequest) as error:
            read_prompt(prompt)
        assert error.value.param == "prompt"
    with pytest.raises(InvalidRequest) as error:
        check(Brief(mood="angry"))
    assert error.value.param == "mood"


def test_what_is_left_open_is_drawn_and_bars_fill_the_duration():
    settled = settle(read_prompt("calm"), 30, random.Random(1))
    assert settled.mood == "calm" and settled.instruments and settled.mode and settled.tonic is not None
    assert settled.tempo_bpm is not None and 40 < settled.tempo_bpm < 120
    assert settle(read_prompt("x, no drums"), 30, random.Random(2)).instruments
    assert settle(read_prompt("calm"), 30, random.Random(1)) == settled


@pytest.mark.parametrize("instruments", [("drums",), ("bass",), ("piano",), ("strings", "guitar", "piano", "drums")])
def test_even_random_weights_keep_key_tempo_parts_and_length(model, instruments):
    brief = settle(Brief(mode="minor", tonic=9, tempo_bpm=150.0, instruments=instruments), 20, random.Random(3))
    score = write_score(model, brief, 20, seed=4)
    assert score.tempo_bpm == 150 and score.bars == int(20 / score.bar_s + 1e-6) and score.key == "A minor"
    assert set(score.instruments) == set(instruments) and all(part.notes for part in score.parts)
    assert share_in_key(score) > 0.75  # the rest are raised sevenths
    assert max(note.start for part in score.parts for note in part.notes) < score.bars * score.bar_ticks


def test_a_piece_longer_than_the_context_goes_on(model, monkeypatch):
    monkeypatch.setattr("ml_audio.music.generate.CONTEXT", 96)
    monkeypatch.setattr("ml_audio.music.generate.KEPT", 48)
    score = write_score(model, settle(Brief(tempo_bpm=120.0, meter="4/4"), 40, random.Random(5)), 40, seed=5)
    assert score.bars == 20


def test_the_fast_decoder_is_the_model(model):
    ids = list(np.random.default_rng(1).integers(0, model.config.vocab_size, 40))
    decoder = Decoder(model, 64)
    parts = [decoder.feed(ids[:25]), *(decoder.feed([token]) for token in ids[25:])]
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids])).logits[0].numpy()
    assert np.allclose(parts[0], expected[24], atol=1e-4) and np.allclose(parts[-1], expected[-1], atol=1e-4)
    decoder.reset()
    assert np.allclose(decoder.feed(ids), expected[-1], atol=1e-4)


def test_music_can_be_heard_and_comes_as_midi(model):
    samples, midi = generate_music(model, "sad guitar and drums in D minor at 100 bpm", 6.0, seed=7)
    assert samples.shape == (6 * 44_100, 2) and samples.dtype == np.float32
    assert 0.05 < np.abs(samples).max() < 0.9 and np.isfinite(samples).all()
    score = from_midi(midi)
    assert score.key == "D minor" and score.tempo_bpm == pytest.approx(100, abs=0.01)
    assert set(score.instruments) == {"guitar", "drums"}
    again, same = generate_music(model, "sad guitar and drums in D minor at 100 bpm", 6.0, seed=7)
    assert same == midi and np.array_equal(samples, again)
    assert generate_music(model, "sad guitar and drums in D minor at 100 bpm", 6.0, seed=8)[1] != midi


def test_bad_requests_name_the_field(model):
    for change, param in (({"duration_s": 0.1}, "duration"), ({"temperature": 3.0}, "temperature")):
        with pytest.raises(InvalidRequest) as error:
            generate_music(model, "music", **{"duration_s": 5.0, "seed": 1, **change})
        assert error.value.param == param


def test_the_likeliest_tokens_only():
    draw = np.random.default_rng(0)
    logits, allowed = np.array([5.0, 4.9, -3.0, 9.0]), np.array([True, True, True, False])
    assert {choose(logits, allowed, draw, 1.0, 0.9) for _ in range(50)} == {0, 1}
    assert choose(logits, allowed, draw, 0, 0.9) == 0


def test_a_model_is_saved_and_loaded_and_another_folder_refused(model, tmp_path):
    save(model, tmp_path / "music")
    assert load(tmp_path / "music").num_parameters() == model.num_parameters()
    with pytest.raises(InvalidRequest, match="no music model"):
        load(tmp_path)
    (tmp_path / "music" / "music_vocabulary.json").write_text("[]")
    with pytest.raises(InvalidRequest, match="another vocabulary"):
        load(tmp_path / "music")
