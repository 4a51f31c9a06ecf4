"""Tiny models and clips for the tests of the trainers: everything is made here, nothing is downloaded."""

import wave
from pathlib import Path

import numpy as np
import torch
from transformers import FastSpeech2ConformerModel

from ml_audio.models.pronouncer import LETTERS, Pronouncer, PronouncerConfig
from ml_audio.models.recogniser import ALPHABET, Recogniser, build
from ml_audio.models.spectrogram import BINS, Scale
from ml_audio.models.vocoder import Vocoder, VocoderConfig
from ml_audio.models.voice import PAD, UNKNOWN, Voice, acoustic_config
from ml_audio.settings import AudioSettings
from tests.unit.services import settings_in

PHONEMES = [",", ".", "?", "!", "a", "b", "d", "n", "s"]
WORDS = ["yes", "no", "one", "two", "red", "blue"]
SCALE = Scale([-5.0] * BINS, [2.0] * BINS, 5.0, 0.3, -5.0, 1.0)


def settings(tmp_path: Path) -> AudioSettings:
    return settings_in(tmp_path / "data", AudioSettings)


def tiny_voice(speakers: int = 2) -> Voice:
    torch.manual_seed(0)
    names = [PAD, UNKNOWN, *PHONEMES]
    acoustic = FastSpeech2ConformerModel(acoustic_config("tiny", len(names), speakers, BINS)).eval()
    with torch.no_grad():  # random weights would say everything in no time
        acoustic.duration_predictor.linear.bias.fill_(1.6)  # exp(1.6) - 1: four frames
    pronouncer = Pronouncer(PronouncerConfig(PHONEMES, channels=16, heads=2, hidden=16, layers=1)).eval()
    vocoder = Vocoder(VocoderConfig(SCALE, channels=16, hidden=16, layers=1)).eval()
    return Voice(acoustic, vocoder, pronouncer, names, ["ann", "bob"][:speakers])


def tiny_recogniser() -> Recogniser:
    torch.manual_seed(0)
    return Recogniser(build("tiny", len(ALPHABET)).eval(), ALPHABET, 3)


def sound(word: str, seconds: float = 0.5) -> np.ndarray:
    """Two tones per letter, at 16 kHz: as different between words as between recordings alike."""
    t = np.arange(int(seconds * 16_000 / len(word))) / 16_000
    parts = [
        sum(np.sin(2 * np.pi * f * t) for f in (300 + 90 * LETTERS.index(x), 2500 - 60 * LETTERS.index(x)))
        for x in word
    ]
    return (0.2 * np.concatenate(parts)).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def write_clips(folder: Path, count: int = 12, rate_hz: int = 16_000) -> Path:
    """An LJSpeech folder of single words."""
    (folder / "wavs").mkdir(parents=True)
    lines: list[str] = []
    noise = np.random.default_rng(0)
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        samples = sound(word) + 0.01 * noise.standard_normal(len(sound(word)))
        write_wav(folder / "wavs" / f"c{number:03}.wav", samples, rate_hz)
        lines.append(f"c{number:03}|{word}|{word.capitalize()}.\n")
    (folder / "metadata.csv").write_text("".join(lines))
    return folder
