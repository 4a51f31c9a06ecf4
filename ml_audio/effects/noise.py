"""What effects are made of: noise in bands, slow changes, and short sounds strewn over time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE_HZ = 44_100


@dataclass(frozen=True)
class Manner:
    """How a prompt wants it: 1 is plain. `strength` heavy or light, `pace` fast or slow, `pitch` high or low."""

    strength: float = 1.0
    pace: float = 1.0
    pitch: float = 1.0


def seconds(duration_s: float) -> np.ndarray:
    """(n,) the times of the samples."""
    return np.arange(max(1, round(duration_s * SAMPLE_RATE_HZ))) / SAMPLE_RATE_HZ


def band(draw: np.random.Generator, many: int, low_hz: float, high_hz: float) -> np.ndarray:
    """(many,) noise of root mean square 1 between two frequencies, 12 dB an octave outside."""
    high_hz = min(high_hz, 0.48 * SAMPLE_RATE_HZ)
    sections = butter(2, [low_hz, high_hz], "band", fs=SAMPLE_RATE_HZ, output="sos")
    made = np.asarray(sosfilt(sections, draw.normal(0, 1, many + 2048)))[2048:]  # behind the filter's start
    return made / max(1e-9, float(np.sqrt(np.mean(made**2))))


def drift(draw: np.random.Generator, t: np.ndarray, every_s: float, low: float, high: float) -> np.ndarray:
    """A smooth random line between `low` and `high` that turns about every `every_s`."""
    knots = draw.uniform(low, high, max(2, int(t[-1] / every_s) + 3))
    place = np.minimum(t / every_s + draw.uniform(0, 1), len(knots) - 1.001)
    left = place.astype(int)
    share = (1 - np.cos(np.pi * (place - left))) / 2
    return knots[left] * (1 - share) + knots[left + 1] * share


def strew(
    draw: np.random.Generator, many: int, per_s: float, grain: Callable[[np.random.Generator], np.ndarray]
) -> np.ndarray:
    """(many,) grains at random times, `per_s` of them a second on average."""
    made = np.zeros(many)
    for place in draw.integers(0, many, draw.poisson(per_s * many / SAMPLE_RATE_HZ)):
        put(made, int(place), grain(draw))
    return made


def put(made: np.ndarray, place: int, grain: np.ndarray) -> None:
    """Add `grain` at `place`, as much of it as there is room for."""
    if place < len(made):
        part = grain[: len(made) - place]
        made[place : place + len(part)] += part
