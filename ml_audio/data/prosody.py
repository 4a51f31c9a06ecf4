"""Pitch and loudness of speech, per frame and per phoneme, as FastSpeech 2 learns them (https://arxiv.org/abs/2006.04558).

Averages per phoneme are FastPitch's (https://arxiv.org/abs/2006.06873). Shapes: N samples, T frames, P phonemes.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ml_audio.models.spectrogram import FFT, HOP, SAMPLE_RATE_HZ

LOWEST_HZ, HIGHEST_HZ = 60, 400
PERIODIC = 0.45
"""A frame whose autocorrelation has no such peak is unvoiced."""


def pitch(samples: Tensor) -> Tensor:
    """(N,) -> (T,) Hz, 0 where unvoiced: the highest peak of the autocorrelation, as in Rabiner 1977."""
    frames = F.pad(samples, (FFT // 2, FFT // 2)).unfold(0, FFT, HOP)
    frames = frames - frames.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(frames, 2 * FFT).abs() ** 2
    correlation = torch.fft.irfft(spectrum)[:, : SAMPLE_RATE_HZ // LOWEST_HZ + 1]
    correlation = correlation / correlation[:, :1].clamp(min=1e-6)
    shortest = SAMPLE_RATE_HZ // HIGHEST_HZ
    peak, lag = correlation[:, shortest:].max(1)
    return torch.where(peak > PERIODIC, SAMPLE_RATE_HZ / (lag + shortest).float(), torch.zeros(()))


def per_phoneme(mel: np.ndarray, pitch_hz: np.ndarray, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of (T, M), (T,) and (P,) frames: (P,) mean log pitch (0: unvoiced) and (P,) mean log energy."""
    ends = np.cumsum(durations)
    energy = mel.mean(1)
    pitches, energies = np.zeros(len(durations), np.float32), np.zeros(len(durations), np.float32)
    for place, (start, end) in enumerate(zip(ends - durations, ends, strict=True)):
        voiced = pitch_hz[start:end][pitch_hz[start:end] > 0]
        pitches[place] = np.log(voiced.mean()) if len(voiced) else 0.0
        energies[place] = energy[start:end].mean() if end > start else energy[min(start, len(energy) - 1)]
    return pitches, energies
