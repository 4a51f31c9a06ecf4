"""Log-mel spectrograms in torch: what a voice makes and a vocoder reads, and what a recogniser hears.

Shapes: B clips, N samples in [-1, 1], T frames, M mel bins.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

SAMPLE_RATE_HZ = 16_000
BINS = 80
FLOOR = 1e-5
"""Magnitudes below are silence: -11.5 after the logarithm."""
FFT, HOP = 1024, 256
"""Of the voice: 64 ms windows every 16 ms."""


@dataclass(frozen=True)
class Scale:
    """Means and deviations by which spectrograms, pitch and energy of a voice become about 0 ± 1."""

    mel_mean: list[float]
    mel_std: list[float]
    pitch_mean: float
    """Of the logarithm of hertz, where voiced."""
    pitch_std: float
    energy_mean: float
    energy_std: float

    def mel(self, x: Tensor) -> Tensor:
        """(…, M) -> (…, M)"""
        return (x - torch.tensor(self.mel_mean)) / torch.tensor(self.mel_std)

    def undo(self, x: Tensor) -> Tensor:
        """(…, M) normalised -> (…, M) logarithms."""
        return x * torch.tensor(self.mel_std) + torch.tensor(self.mel_mean)


@cache
def mel_filters(bins: int = BINS, fft: int = FFT, rate_hz: int = SAMPLE_RATE_HZ) -> Tensor:
    """(F, M) triangles that are even on the mel scale of HTK, 0 Hz to half the rate."""
    top = 2595 * math.log10(1 + rate_hz / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bins + 2, dtype=torch.float64) / 2595) - 1)  # Hz
    frequencies = torch.linspace(0, rate_hz / 2, fft // 2 + 1, dtype=torch.float64)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


@cache
def window(size: int) -> Tensor:
    return torch.hann_window(size)


def stft(samples: Tensor, fft: int = FFT, hop: int = HOP) -> Tensor:
    """(…, N) -> (…, F, T) complex, T = N // hop + 1."""
    return torch.stft(samples, fft, hop, window=window(fft).to(samples.device), center=True, return_complex=True)


def log_mel(samples: Tensor) -> Tensor:
    """(…, N) -> (…, T, M) natural logarithms."""
    magnitudes = stft(samples).abs().transpose(-1, -2)  # (…, T, F)
    return (magnitudes @ mel_filters().to(samples.device)).clamp(min=FLOOR).log()


@cache
def _kaldi() -> tuple[Tensor, Tensor]:
    """(257, M) filters and (400,) window as transformers' SeamlessM4TFeatureExtractor has them."""
    from transformers import SeamlessM4TFeatureExtractor

    stock = SeamlessM4TFeatureExtractor()
    return torch.from_numpy(stock.mel_filters).float(), torch.from_numpy(stock.window).float()


def fbank(samples: Tensor) -> Tensor:
    """(N,) -> (T, M): Kaldi's log-mel energies, 25 ms every 10 ms, as SeamlessM4TFeatureExtractor makes them before it
    normalises each bin; twenty times faster than it."""
    filters, povey = _kaldi()
    frames = (samples * 32768).unfold(0, 400, 160)  # (T, 400)
    frames = frames - frames.mean(1, keepdim=True)
    before = F.pad(frames[:, :-1], (1, 0))
    first = frames[:, :1] * (1 - 0.97)
    frames = torch.cat([first, (frames - 0.97 * before)[:, 1:]], 1) * povey
    power = torch.fft.rfft(frames, 512).abs() ** 2
    return (power @ filters).clamp(min=1.192092955078125e-07).log()
