"""Faster or slower at the same pitch, for voices that have no speed of their own.

WSOLA (Verhelst and Roelands 1993, https://doi.org/10.1109/ICASSP.1993.319366): overlapping windows are laid out at
another distance, each moved by a few milliseconds to where it fits the one before.
"""

import numpy as np

from ml_audio.sound.reading import Samples

WINDOW_S = 0.04
SEARCH_S = 0.01
"""How far a window may move: more than half of the longest period of a voice (60 Hz)."""


def stretch(samples: Samples, sample_rate_hz: int, speed: float) -> Samples:
    """(T,) -> (T / speed,), in float32."""
    size = int(WINDOW_S * sample_rate_hz) // 2 * 2
    if speed == 1 or len(samples) < 2 * size:
        return samples
    hop, reach = size // 2, int(SEARCH_S * sample_rate_hz)
    window = np.hanning(size + 1)[:size].astype(np.float32)
    padded = np.pad(samples, (reach, size + 2 * reach))
    count = max(1, round(len(samples) / speed / hop))
    made = np.zeros(count * hop + hop, np.float32)
    at = 0  # where in `padded`, less `reach`, the window before began
    for i in range(count):
        ideal = min(round(i * hop * speed), len(samples))
        if i:
            follows = padded[at + reach + hop : at + reach + hop + size]
            around = padded[ideal : ideal + size + 2 * reach]
            at = ideal - reach + int(np.argmax(np.correlate(around, follows[: len(around)], "valid")[: 2 * reach + 1]))
        made[i * hop : i * hop + size] += window * padded[at + reach : at + reach + size]
    return made[: round(len(samples) / speed)]
