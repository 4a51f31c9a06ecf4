"""Pieces of speech put together: trimmed to their sound, faded at the ends, as loud as each other, pauses between."""

from collections.abc import Iterator

import numpy as np

from ml_audio.sound import loudness
from ml_audio.sound.reading import Samples

FADE_S = 0.008
MARGIN_S = 0.03
"""Left of the silence around a piece: the breath of a consonant is below the threshold."""
QUIET_DB = -46.0
"""Below the loudest 10 ms of the piece."""
STEP_DB = 6.0
"""The most that the gain of one piece differs from that of the first: a whispered sentence stays softer."""


class Joiner:
    """The pieces of one answer. The first sets the gain that the others hold to, within STEP_DB."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.gain: float | None = None

    def add(self, piece: Samples, pause_s: float) -> Samples:
        """What to send of the piece, and the pause behind it."""
        piece = trim(piece, self.sample_rate_hz)
        gain = loudness.gain(piece, self.sample_rate_hz, loudness.SPEECH_LUFS)
        if self.gain is None:
            self.gain = gain
        step = 10 ** (STEP_DB / 20)
        gain = min(gain, self.gain * step) if gain > self.gain else max(gain, self.gain / step)
        peak = float(np.abs(piece).max(initial=0.0))
        gain = min(gain, loudness.PEAK / peak) if peak else gain
        silence = np.zeros(round(pause_s * self.sample_rate_hz), np.float32)
        return np.concatenate([fade(piece * np.float32(gain), self.sample_rate_hz), silence])


def trim(samples: Samples, sample_rate_hz: int) -> Samples:
    """Without the silence at both ends, but for a margin."""
    frame = max(1, sample_rate_hz // 100)
    whole = len(samples) // frame * frame
    if not whole:
        return samples
    power = (samples[:whole].reshape(-1, frame) ** 2).mean(axis=1)
    heard = np.flatnonzero(power > max(power.max() * 10 ** (QUIET_DB / 10), 1e-10))
    if not len(heard):
        return samples[:0]
    margin = round(MARGIN_S * sample_rate_hz)
    return samples[max(0, heard[0] * frame - margin) : (heard[-1] + 1) * frame + margin]


def fade(samples: Samples, sample_rate_hz: int) -> Samples:
    """From silence and back to it, as half a cosine: no step that could be heard as a click."""
    length = min(round(FADE_S * sample_rate_hz), len(samples) // 2)
    if not length:
        return samples
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)
    faded = samples.copy()
    faded[:length] *= ramp
    faded[-length:] *= ramp[::-1]
    return faded


def in_blocks(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]
