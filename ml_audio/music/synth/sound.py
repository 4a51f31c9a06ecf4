"""What every instrument counts with."""

import numpy as np

SAMPLE_RATE_HZ = 44_100
BLOCK = 512


def seconds(duration_s: float) -> np.ndarray:
    """(n,) the times of the samples."""
    return np.arange(max(1, round(duration_s * SAMPLE_RATE_HZ))) / SAMPLE_RATE_HZ


def frequency_hz(pitch: float) -> float:
    """Equal temperament, A4 (69) at 440 Hz."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def damped_sines(
    duration_s: float, frequencies_hz: np.ndarray, fades: np.ndarray, levels: np.ndarray, phases: np.ndarray
) -> np.ndarray:
    """(n,) the sum of `levels` · exp(-`fades` t) · sin(2 pi `frequencies_hz` t + `phases`), each (P,).

    exp(s (a + b)) = exp(s a) exp(s b): with the times cut into blocks it is one product of two small matrices.
    """
    total = max(1, round(duration_s * SAMPLE_RATE_HZ))
    rates = (-fades + 2j * np.pi * frequencies_hz) / SAMPLE_RATE_HZ  # (P,) per sample
    starts: np.ndarray = np.exp(np.outer(np.arange(0, total, BLOCK), rates)) * (levels * np.exp(1j * phases))
    within: np.ndarray = np.exp(np.outer(rates, np.arange(BLOCK)))
    # the imaginary part of the product, without the real one
    made = np.real(starts).astype(np.float32) @ np.imag(within).astype(np.float32)
    made += np.imag(starts).astype(np.float32) @ np.real(within).astype(np.float32)
    return made.reshape(-1)[:total]
