"""A struck string: partials a little sharp of harmonic, each dying away at its own pace, and a hammer's knock."""

import numpy as np

from ml_audio.music.synth.sound import SAMPLE_RATE_HZ, damped_sines, frequency_hz, seconds


def note(pitch: int, duration_s: float) -> np.ndarray:
    """(n,) float32, |x| about 1. Stiffness and two-stage decay after Fletcher and Rossing, The Physics of Musical
    Instruments, chapter 12."""
    f0 = frequency_hz(pitch)
    n = np.arange(1, int(min(22, 0.45 * SAMPLE_RATE_HZ / f0)) + 1)
    stiffness = 1.4e-4 * 2 ** ((pitch - 49) / 14)
    f = (
        f0 * n * np.sqrt((1 + stiffness * n * n) / (1 + stiffness))
    )  # the first partial is in tune, the others stretched
    level = np.abs(np.sin(np.pi * n / 7.8)) / n**1.15 * np.exp(-f / 9000)  # struck at an eighth of the string
    level[f > 0.45 * SAMPLE_RATE_HZ] = 0
    fast, slow = 1.1 + f / 900 + 0.16 * n, 0.32 + f / 4200
    wave = damped_sines(
        duration_s,
        np.concatenate([f, f]),
        np.concatenate([fast, slow]),
        np.concatenate([0.72 * level, 0.28 * level]),
        np.concatenate([0.7 * n, 0.7 * n]),
    )
    t = seconds(min(duration_s, 0.06))
    knock = np.random.default_rng(pitch).normal(0, 1, len(t)) * np.exp(-t * 160)
    wave[: len(t)] += 0.03 * np.convolve(knock, np.ones(12) / 12, "same").astype(np.float32)
    wave[: len(t)] *= np.minimum(1, t / 0.002)
    return wave
