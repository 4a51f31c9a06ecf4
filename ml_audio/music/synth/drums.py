"""A drum kit, a recipe a drum: membranes are sines that fall in pitch, metal and snares are filtered noise."""

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

from ml_audio.music.score import DRUMS
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ, seconds


def note(pitch: int, duration_s: float) -> np.ndarray:
    """(n,) float32, |x| about 1; a drum sounds as long as it sounds, whatever the duration."""
    return KIT[NAMES[pitch]](np.random.default_rng(pitch))


def _skin(t: np.ndarray, low_hz: float, fall_hz: float, fall: float, fade: float) -> np.ndarray:
    turns = low_hz * t + fall_hz * (1 - np.exp(-t * fall)) / fall
    return np.sin(2 * np.pi * turns) * np.exp(-t * fade)


def _noise(draw: np.random.Generator, t: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    band = butter(2, [low_hz, min(high_hz, 0.48 * SAMPLE_RATE_HZ)], "band", fs=SAMPLE_RATE_HZ, output="sos")
    made = np.asarray(sosfilt(band, draw.normal(0, 1, len(t))))
    return made / max(1e-9, float(np.sqrt(np.mean(made**2)))) / 3


def _kick(draw: np.random.Generator) -> np.ndarray:
    t = seconds(0.45)
    return _skin(t, 47, 130, 28, 9) + 0.18 * _noise(draw, t, 1500, 6000) * np.exp(-t * 260)


def _snare(draw: np.random.Generator) -> np.ndarray:
    t = seconds(0.32)
    body = 0.5 * _skin(t, 182, 60, 40, 22) + 0.3 * _skin(t, 330, 40, 40, 30)
    return body + 0.75 * _noise(draw, t, 900, 9000) * np.exp(-t * 17)


def _rim(draw: np.random.Generator) -> np.ndarray:
    t = seconds(0.12)
    return 0.8 * _skin(t, 820, 0.001, 1, 60) + 0.5 * _noise(draw, t, 1800, 7000) * np.exp(-t * 90)


def _metal(draw: np.random.Generator, long_s: float, fade: float, low_hz: float) -> np.ndarray:
    """Six square waves that do not fit each other, as in the drum machines of 1980, and noise above `low_hz`."""
    t = seconds(long_s)
    tones = sum(np.sign(np.sin(2 * np.pi * f * t)) for f in (2053, 3074, 3671, 4243, 5400, 8000)) / 6
    high = butter(4, low_hz, "high", fs=SAMPLE_RATE_HZ, output="sos")
    rough = np.asarray(sosfilt(high, 0.5 * tones + 0.5 * draw.normal(0, 1, len(t))))
    return 0.9 * rough * np.exp(-t * fade) * np.minimum(1, t / 0.001)


def _ride(draw: np.random.Generator) -> np.ndarray:
    made = _metal(draw, 1.0, 5.0, 5200)
    t = seconds(1.0)
    return 0.7 * made + 0.16 * np.sin(2 * np.pi * 3450 * t) * np.exp(-t * 16)


KIT: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "kick": _kick,
    "snare": _snare,
    "rim": _rim,
    "hat": lambda draw: _metal(draw, 0.1, 55.0, 7000),
    "open": lambda draw: _metal(draw, 0.45, 8.0, 6500),
    "crash": lambda draw: _metal(draw, 1.8, 2.6, 3500),
    "ride": _ride,
    "low": lambda draw: (
        _skin(seconds(0.5), 92, 50, 18, 8) + 0.1 * _noise(draw, seconds(0.5), 400, 3000) * np.exp(-seconds(0.5) * 60)
    ),
    "high": lambda draw: (
        _skin(seconds(0.4), 150, 70, 20, 9) + 0.1 * _noise(draw, seconds(0.4), 600, 4000) * np.exp(-seconds(0.4) * 60)
    ),
}
NAMES = {pitch: name for name, pitch in DRUMS.items()}
