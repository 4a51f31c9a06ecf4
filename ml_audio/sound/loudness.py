"""How loud a recording is, and the gain that makes it as loud as the others.

ITU-R BS.1770-4, https://www.itu.int/rec/R-REC-BS.1770: the mean square of 400 ms blocks, weighted as the ear hears,
without the blocks of silence.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_audio.sound.reading import Samples

SPEECH_LUFS = -19.0
"""One channel of a podcast: as loud as -16 LUFS of two."""
MUSIC_LUFS = -16.0
PEAK = 0.89
"""-1 dBFS: what a lossy format adds at a peak does not clip."""
BLOCK_S, STEP_S = 0.4, 0.1
GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET_LU = -0.691


def loudness_lufs(samples: Samples, sample_rate_hz: int) -> float:
    """Integrated loudness of (T,) or (T, channels); -inf for silence."""
    channels = samples[:, None] if samples.ndim == 1 else samples
    size, step = int(BLOCK_S * sample_rate_hz), int(STEP_S * sample_rate_hz)
    if len(channels) < size:
        channels = np.pad(channels, ((0, size - len(channels)), (0, 0)))
    # (blocks, channels, size): a view, so that an hour costs no more memory than itself
    blocks = np.lib.stride_tricks.sliding_window_view(channels, size, axis=0)[::step]
    weights = _weights(size, sample_rate_hz)
    powers = np.array([float((np.abs(np.fft.rfft(block)) ** 2 @ weights).sum()) for block in blocks])
    loud = powers[_lufs(powers) > GATE_LUFS]
    if not len(loud):
        return float("-inf")
    loud = loud[_lufs(loud) > _lufs(loud.mean()) + RELATIVE_GATE_LU]
    return float(_lufs(loud.mean()))


def gain(samples: Samples, sample_rate_hz: int, target_lufs: float) -> float:
    """What to multiply with for `target_lufs`; less where a peak would clip. 1 for silence."""
    lufs = loudness_lufs(samples, sample_rate_hz)
    peak = float(np.abs(samples).max(initial=0.0))
    if not np.isfinite(lufs) or not peak:
        return 1.0
    return min(10 ** ((target_lufs - lufs) / 20), PEAK / peak)


def _lufs(power: Any) -> NDArray[np.floating]:
    return OFFSET_LU + 10 * np.log10(np.maximum(power, 1e-12))


@cache
def _weights(size: int, sample_rate_hz: int) -> NDArray[np.floating]:
    """|K(f)|² for each of a block's frequencies, scaled so that their sum with |FFT|² is a mean square (Parseval)."""
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate_hz)
    scale = np.full(len(frequencies), 2.0 / size**2)
    scale[0] = 1.0 / size**2
    if size % 2 == 0:
        scale[-1] = 1.0 / size**2
    # the two filters of the standard, given there for 48 kHz
    shelf = _response(
        frequencies, (1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)
    )
    high_pass = _response(frequencies, (1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
    return shelf * high_pass * scale


def _response(
    frequencies: NDArray[np.floating], over: tuple[float, float, float], under: tuple[float, float]
) -> NDArray[np.floating]:
    z = np.exp(-2j * np.pi * np.minimum(frequencies, 24_000) / 48_000)
    return np.abs((over[0] + over[1] * z + over[2] * z**2) / (1 + under[0] * z + under[1] * z**2)) ** 2
