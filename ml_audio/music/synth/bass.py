"""A bass guitar: a long dull string, with the fundamental that small speakers need their partials for."""

import numpy as np

from ml_audio.music.synth.guitar import string
from ml_audio.music.synth.sound import frequency_hz, seconds


def note(pitch: int, duration_s: float) -> np.ndarray:
    """(n,) float32, |x| about 1."""
    t = seconds(duration_s)
    f = frequency_hz(pitch)
    deep = np.sin(2 * np.pi * f * t) * np.exp(-t * 1.1) * np.minimum(1, t / 0.006)
    return 0.55 * string(pitch, duration_s, dullness=0.62, ring_s=3.2) + 0.6 * deep
