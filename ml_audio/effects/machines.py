"""Machines and signals: each `(draw, t, manner) -> (n,)`."""

import numpy as np
from scipy.signal import butter, sosfilt

from ml_audio.effects.noise import SAMPLE_RATE_HZ, Manner, band, drift, put, seconds


def engine(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Four cylinders: an explosion twice a turn of the shaft, through an exhaust, never quite even."""
    turns_per_min = draw.uniform(1100, 1500) * manner.pace
    f = turns_per_min / 60 * 2 * drift(draw, t, 0.4, 0.97, 1.03)
    phase = np.cumsum(f) / SAMPLE_RATE_HZ
    uneven = 1 + 0.25 * np.sin(2 * np.pi * phase / 2 + draw.uniform(0, 6)) + 0.15 * np.sin(2 * np.pi * phase / 4)
    bang = np.exp(-(phase % 1) * 7) * uneven
    exhaust = butter(2, [25, 420 * manner.pitch], "band", fs=SAMPLE_RATE_HZ, output="sos")
    rough = bang * (1 + 0.5 * draw.normal(0, 1, len(t)))
    return np.asarray(sosfilt(exhaust, rough - rough.mean())) * 2 + 0.02 * band(draw, len(t), 800, 4000)


def alarm(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Two tones in turn, four changes a second."""
    high = draw.uniform(860, 980) * manner.pitch
    second = (t * 2 * manner.pace) % 1 >= 0.5
    phase = np.cumsum(np.where(second, high * 0.75, high)) / SAMPLE_RATE_HZ
    return np.sum([np.sin(2 * np.pi * n * phase) / n for n in (1, 3, 5, 7)], axis=0) * 0.8


def siren(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A wail between 600 and 1,400 Hz, up in a second and down in three."""
    cycle = (t * 0.25 * manner.pace + draw.uniform(0, 1)) % 1
    rise = np.where(cycle < 0.25, np.sin(2 * np.pi * cycle), 0.5 + 0.5 * np.cos(np.pi * (cycle - 0.25) / 0.75))
    f = manner.pitch * (600 + 800 * rise)
    phase = np.cumsum(f) / SAMPLE_RATE_HZ
    return np.sum([np.sin(2 * np.pi * n * phase) / n**1.3 for n in range(1, 6)], axis=0)


def clock(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A tick and a tock, a second for both."""
    made = np.zeros(len(t))
    half = round(SAMPLE_RATE_HZ * 0.5 / manner.pace)
    d = seconds(0.05)
    for number, place in enumerate(range(round(0.1 * SAMPLE_RATE_HZ), len(t), half)):
        f = manner.pitch * (2600 if number % 2 else 3300)
        tick = np.exp(-d * 160) * np.sin(2 * np.pi * f * d) + 0.5 * np.exp(-d * 420) * draw.normal(0, 1, len(d))
        put(made, place, tick * draw.uniform(0.9, 1.1))
    return made + 0.002 * draw.normal(0, 1, len(t))


def phone(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A bell struck twenty times a second, two seconds on and two off."""
    on = ((t * manner.pace) % 4) < 2
    strokes = np.exp(-((t * 20) % 1) * 2.2)
    tones = sum(np.sin(2 * np.pi * manner.pitch * f * t) / n for n, f in enumerate((1320, 1600, 2870, 4100), 1))
    return on * strokes * tones + 0.001 * draw.normal(0, 1, len(t))


def train(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Wheels over the joints of rails: two double knocks for each length of rail, over a rumble."""
    made = 0.35 * band(draw, len(t), 40, 300) * drift(draw, t, 0.5, 0.8, 1.1)
    made += 0.05 * band(draw, len(t), 900, 5000)
    d = seconds(0.16)
    period = 0.95 / manner.pace
    for first in np.arange(0.1, t[-1], period):
        for offset in (0.0, 0.14, 0.42, 0.56):
            knock = np.exp(-d * 32) * np.sin(2 * np.pi * 88 * d) + 0.5 * np.exp(-d * 75) * draw.normal(0, 1, len(d))
            place = first + offset / manner.pace + draw.normal(0, 0.004)
            put(made, max(0, round(place * SAMPLE_RATE_HZ)), 1.6 * manner.strength * knock)
    return made
