"""Spectrograms, their disguises, pitch, warping, and the networks that read and make them."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCTC, AutoProcessor, SeamlessM4TFeatureExtractor

from ml_audio import loading
from ml_audio.data import ragged
from ml_audio.data.aligning import durations, warp
from ml_audio.data.augment import augment, normalise
from ml_audio.data.prosody import per_phoneme, pitch
from ml_audio.models.pronouncer import Pronouncer
from ml_audio.models.recogniser import Recogniser
from ml_audio.models.spectrogram import fbank, log_mel
from ml_audio.models.vocoder import GriffinLim, GriffinLimConfig, load_vocoder
from ml_audio.models.voice import Voice
from ml_audio.sources import Source
from ml_audio.speaking.speaker import Utterance
from shared.errors import InvalidRequest
from tests.unit.ml_audio.training import SCALE, settings, sound, tiny_recogniser, tiny_voice


def test_energies_are_those_of_the_stock_extractor():
    samples = 0.1 * torch.randn(20_000)
    stock = SeamlessM4TFeatureExtractor()
    assert np.abs(stock._extract_fbank_features(samples.numpy()) - fbank(samples).numpy()).max() < 1e-3


def test_a_tone_lies_in_its_bin_and_silence_at_the_floor():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    mel = log_mel(tone)
    assert mel.shape == (63, 80) and 26 <= int(mel[30].argmax()) <= 29  # 1000 mel of 2840, 80 bins
    assert log_mel(torch.zeros(4096)).max() < -11


@pytest.mark.parametrize("hertz", [90, 140, 260])
def test_pitch_of_a_voice_and_none_of_noise(hertz):
    t = torch.arange(16_000) / 16_000
    voiced = sum(torch.sin(2 * torch.pi * hertz * k * t) / k for k in range(1, 12))
    assert isinstance(voiced, torch.Tensor)
    found = pitch(voiced)[5:-5]
    assert (found / hertz - 1).abs().max() < 0.03
    assert (pitch(torch.randn(16_000)) == 0).float().mean() > 0.9


def test_means_per_phoneme():
    mel = np.repeat([[1.0], [3.0]], [2, 4], 0) * np.ones((6, 8))
    pitches, energies = per_phoneme(mel, np.array([0, 0, 100, 0, 200, 0.0]), np.array([2, 0, 4]))
    assert pitches.tolist() == [0, 0, pytest.approx(np.log(150))] and energies.tolist() == [1, 3, 3]


def test_disguises_keep_what_is_said_where_it_is():
    x = np.random.default_rng(0).standard_normal((200, 80)).astype(np.float32)
    track = np.repeat(np.arange(10), 20)
    for seed in range(40):
        y, moved = augment(x.copy(), track, np.random.default_rng(seed))
        assert y.shape == (len(moved), 80) and np.isfinite(y).all() and 150 < len(y) < 300
        said = moved[moved > 0]
        assert (np.diff(said) >= 0).all() and set(said) == set(range(1, 10))
    assert np.array_equal(augment(x, track, np.random.default_rng(0), 0.0)[0], x)
    flat = normalise(x)
    assert abs(flat.mean()) < 1e-5 and flat.std(0, ddof=1) == pytest.approx(1, abs=1e-3)


def test_warping_finds_a_stretched_copy():
    x = np.cumsum(np.random.default_rng(0).standard_normal((40, 6)), 0)
    stretched = np.repeat(x, np.where(np.arange(40) < 20, 1, 3), 0)
    cost = np.sqrt(((x[:, None] - stretched) ** 2).sum(-1))
    path = warp(cost)
    wanted = np.concatenate([np.arange(20), 20 + 3 * np.arange(20)])
    assert (np.diff(path) >= 0).all() and np.abs(path - wanted).max() <= 2


def test_a_voice_times_its_own_speech_as_it_said_it():
    voice = tiny_voice()
    phonemes = ["a", "b", "n", "s", "d", "a", "."]
    mel, frames = voice.spectrogram(phonemes, "bob")
    found = durations(voice, phonemes, voice.scale.undo(mel).numpy(), voice.scale, "bob")
    assert found.sum() == len(mel) and np.abs(found - frames.numpy()).max() <= 1


def test_a_voice_folder_is_the_voice(tmp_path):
    voice = tiny_voice()
    voice.save_pretrained(tmp_path)
    again = Voice.from_pretrained(tmp_path)
    assert again.phonemes == voice.phonemes and again.speakers == ["ann", "bob"] and again.scale == voice.scale
    for speaker in ("ann", "bob"):
        ours, theirs = (one.spectrogram(["a", "b"], speaker)[0] for one in (voice, again))
        assert torch.allclose(theirs, ours, atol=1e-3), "the same weights; sums may be rounded otherwise"
    assert again.spectrogram(["a"], "ann")[0].shape != again.spectrogram(["a"], "bob")[0].shape
    slow, fast = (len(again.spectrogram(["a", "b", "n"] * 4, "ann", speed)[0]) for speed in (0.5, 2.0))
    assert 3.5 < slow / fast < 4.5
    assert len(again.say("...", "ann")) == 0


def test_a_vocoder_makes_a_hop_per_frame(tmp_path):
    vocoder = tiny_voice().vocoder
    vocoder.save_pretrained(tmp_path)
    mel = torch.randn(2, 9, 80)
    assert vocoder(mel).shape == (2, 8 * 256)
    assert torch.equal(load_vocoder(tmp_path)(mel), vocoder(mel))


def test_phases_are_found_that_agree_with_the_spectrogram(tmp_path):
    t = torch.arange(256 * 40) / 16_000
    voiced = sum((torch.sin(2 * torch.pi * 140 * k * t) / k for k in range(1, 30)), torch.zeros(len(t)))
    mel = log_mel(0.1 * voiced * (0.3 + torch.sin(9 * t) ** 2))
    few, many = (GriffinLim(GriffinLimConfig(SCALE, iterations=count)) for count in (0, 24))
    apart = [(log_mel(way(SCALE.mel(mel)[None])[0]) - mel)[2:-2].abs().mean() for way in (few, many)]
    assert apart[1] < 0.6 * apart[0]
    many.save_pretrained(tmp_path)
    assert torch.equal(load_vocoder(tmp_path)(SCALE.mel(mel)[None]), many(SCALE.mel(mel)[None]))


def test_a_pronouncer_reads_a_sentence_by_itself_as_among_others(tmp_path):
    pronouncer = tiny_voice().pronouncer
    pronouncer.save_pretrained(tmp_path)
    again = Pronouncer.from_pretrained(tmp_path)
    letters = torch.tensor([[1, 2, 3, 0, 0], [1, 2, 3, 4, 5]])
    assert torch.allclose(again(letters)[0, :6], pronouncer(letters[:1, :3])[0], atol=1e-5)
    assert again.pronounce("") == [] and set(again.pronounce("yes, no.")) <= set(again.config.phonemes)


def test_a_recognisers_folder_opens_in_transformers_and_hears_the_same(tmp_path):
    ours = tiny_recogniser()
    ours.save_pretrained(tmp_path)
    samples = sound("yes", 1.0)
    processor = AutoProcessor.from_pretrained(tmp_path)
    inputs = processor(audio=samples, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        theirs = AutoModelForCTC.from_pretrained(tmp_path, dtype=torch.float32)(**inputs).logits[0].log_softmax(-1)
    mine = Recogniser.from_pretrained(tmp_path).log_probs(torch.from_numpy(samples))
    assert np.abs(mine - theirs.numpy()[: len(mine)]).max() < 1e-3
    assert processor.tokenizer.decode([8, 0, 8, 23]) == "eet"
    assert ours.transcribe(torch.zeros(100)) == []


def test_lists_of_arrays_come_back(tmp_path):
    items = [np.arange(n, dtype=np.int16) for n in (3, 0, 5)]
    for part in ("a", "b"):
        ragged.write(tmp_path / part, {"x": items}, [{"n": len(item)} for item in items])
    found = ragged.Shards.load([tmp_path / "a", tmp_path / "b"])
    assert len(found) == 6 and found.lengths("x").tolist() == [3, 0, 5, 3, 0, 5]
    assert [found.get("x", place).tolist() for place in (2, 3)] == [items[2].tolist(), items[0].tolist()]
    assert found.row(4) == {"n": 0} and not list(tmp_path.glob(".*"))
    with pytest.raises(ValueError, match="2 items, not 3"):
        ragged.write(tmp_path / "c", {"x": items[:2]}, [{}, {}, {}])


def test_a_voice_is_served_as_a_family(tmp_path):
    tiny_voice().save_pretrained(tmp_path / "mouth")
    source = Source("mouth", tmp_path / "mouth", 0)
    served = loading.load(source, None, settings(tmp_path))
    assert served.voices == ["ann", "bob"] and served.sample_rate_hz == 16_000
    quick, slow = (len(served.say(Utterance("Yes, 3 of them.", "bob", speed=speed))) for speed in (2, 0.5))
    assert 0 < quick < slow
    assert not len(served.say(Utterance("…")))
    with pytest.raises(InvalidRequest, match="mood"):
        served.check(Utterance("Yes.", mood="whisper"))
    (tmp_path / "mouth" / "voice.json").unlink()
    with pytest.raises(InvalidRequest, match="lacks weights"):
        loading.load(source, None, settings(tmp_path))
