"""A plucked string: a wave that runs round in a loop which dulls it (Karplus and Strong 1983; Jaffe and Smith 1983)."""

import numpy as np
from scipy.signal import lfilter

from ml_audio.music.synth.sound import SAMPLE_RATE_HZ, frequency_hz, seconds

PLUCKED_AT = 0.18
"""Where on the string, as a part of its length: takes out every fifth or sixth partial."""


def string(pitch: int, duration_s: float, dullness: float, ring_s: float) -> np.ndarray:
    """(n,) float32. The loop is N samples and a fraction long, so that the pitch is exact: a three-tap filter has
    half of `dullness` on each side, and the fraction is shared between two neighbours (linear interpolation)."""
    total = len(seconds(duration_s))
    period = SAMPLE_RATE_HZ / frequency_hz(pitch)
    whole = int(period - 1)
    fraction = period - 1 - whole  # the smoothing filter delays by one sample
    dullness *= min(1.0, 440 / frequency_hz(pitch))  # short strings go round more often
    smooth = np.array([dullness / 2, 1 - dullness, dullness / 2])
    loop = np.convolve(smooth, [1 - fraction, fraction])
    loop *= 0.001 ** (period / SAMPLE_RATE_HZ / ring_s)  # 60 dB in ring_s
    burst = _pluck(pitch, period)
    source = np.zeros(total)
    source[: min(total, len(burst))] = burst[:total]
    feedback = np.zeros(whole + len(loop))
    feedback[0] = 1
    feedback[whole : whole + len(loop)] -= loop
    wave = lfilter([1.0], feedback, source)
    wave = np.asarray(wave) * np.minimum(1, seconds(duration_s) / 0.002)
    return wave / max(1e-9, float(np.abs(wave).max()))


def _pluck(pitch: int, period: float) -> np.ndarray:
    """One period: the partials of a string that was pulled aside, their phases by chance. Plain noise, as in the first
    paper, leaves some pitches without a fundamental, and a mean that rings on as a thump."""
    draw = np.random.default_rng(pitch)
    k = np.arange(round(period))
    burst = np.zeros(len(k))
    for n in range(1, int(min(40, period / 2.5)) + 1):
        level = abs(np.sin(np.pi * n * PLUCKED_AT)) / n**0.85
        burst += level * np.cos(2 * np.pi * n * k / period + draw.uniform(0, 2 * np.pi))
    return burst - burst.mean()


def note(pitch: int, duration_s: float) -> np.ndarray:
    """(n,) float32, |x| about 1: a nylon string and the body's two lowest resonances."""
    wave = string(pitch, duration_s, dullness=0.28, ring_s=4.5)
    t = seconds(duration_s)
    body = 0.16 * np.sin(2 * np.pi * 101 * t) * np.exp(-t * 38) + 0.1 * np.sin(2 * np.pi * 204 * t) * np.exp(-t * 45)
    return wave + body * np.minimum(1, t / 0.003)
