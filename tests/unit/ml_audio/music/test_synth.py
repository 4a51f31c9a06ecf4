"""Instruments are in tune, rise and die away; a mix is loud enough and never clips."""

import random

import numpy as np
import pytest

from ml_audio.mastering import master
from ml_audio.music.composer import compose
from ml_audio.music.performance import perform
from ml_audio.music.score import DRUMS
from ml_audio.music.synth import VOICES, render
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ, frequency_hz


def cents_off(wave: np.ndarray, expected_hz: float) -> float:
    """How far the power within half a semitone lies from where it should."""
    part = wave[len(wave) // 20 : len(wave) * 3 // 4]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18)) ** 2
    frequencies = np.arange(len(power)) * SAMPLE_RATE_HZ / (1 << 18)
    near = np.abs(1200 * np.log2(np.maximum(frequencies, 1) / expected_hz)) < 50
    assert power[near].sum() > 0.1 * power.sum()  # the note's own frequency is a good part of it
    return float(1200 * np.log2((power[near] * frequencies[near]).sum() / power[near].sum() / expected_hz))


@pytest.mark.parametrize("name", ["piano", "guitar", "strings", "bass"])
def test_notes_are_in_tune(name):
    for pitch in (33, 40, 47) if name == "bass" else (48, 61, 69, 84):
        assert abs(cents_off(VOICES[name].note(pitch, 2.0), frequency_hz(pitch))) < 5, pitch


@pytest.mark.parametrize(("name", "lasts"), [("piano", False), ("guitar", False), ("bass", False), ("strings", True)])
def test_plucked_notes_die_away_and_bowed_ones_last(name, lasts):
    wave = np.abs(VOICES[name].note(50, 3.0))
    assert wave[:20].max() < 0.3 * wave.max()  # no click
    early, late = wave[4410:22050].mean(), wave[-22050:].mean()
    assert (late > 0.7 * early) == lasts


def test_drums_are_short_and_differ():
    sounds = {name: VOICES["drums"].note(pitch, 0.1) for name, pitch in DRUMS.items()}
    centres = {}
    for name, wave in sounds.items():
        power = np.abs(np.fft.rfft(wave)) ** 2
        centres[name] = (power * np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE_HZ)).sum() / power.sum()
        assert np.abs(wave[-200:]).max() < 0.1 * np.abs(wave).max()
    assert centres["kick"] < centres["low"] < centres["high"] < centres["snare"] < centres["hat"]


def test_a_mix_is_as_long_as_asked_loud_and_unclipped():
    score = compose(random.Random(1), 4, mood="happy", style="pop", instruments=("piano", "guitar", "bass", "drums"))
    samples = render(score, 7.5)
    assert samples.shape == (round(7.5 * SAMPLE_RATE_HZ), 2)
    assert np.abs(samples).max() < 0.9 and -20 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -15
    assert not np.array_equal(samples[:, 0], samples[:, 1])


def test_players_are_human_but_keep_time():
    score = compose(random.Random(2), 8, tempo_bpm=120)
    events = perform(score, seed=1)
    assert len({event.velocity for event in events}) > 10
    step = 60 / 120 / 12
    late = [event.start_s - round(event.start_s / step) * step for event in events]
    assert max(map(abs, late)) <= 0.016 and abs(np.mean(late)) < 0.003 < np.std(late) * 2
    assert perform(score, 1) == events != perform(score, 2)


def test_silence_stays_silence():
    assert not master(np.zeros((100, 2)), -18).any()
