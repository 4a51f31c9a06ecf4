"""Bells, steps, hands and doors: each `(draw, t, manner) -> (n,)`."""

import numpy as np

from ml_audio.effects.noise import SAMPLE_RATE_HZ, Manner, band, drift, put, seconds, strew

BELL = ((0.5, 0.35, 0.35), (1.0, 1.0, 0.55), (1.183, 0.55, 0.8), (1.506, 0.3, 1.1), (2.0, 0.6, 1.2), (2.514, 0.25, 2.0))
BELL += ((2.662, 0.25, 2.2), (3.011, 0.2, 2.8), (4.166, 0.15, 3.8))
"""A church bell's partials: (times the strike note, level, fade per second). The minor third at 1.183 is what tells a
bell from a string (Fletcher and Rossing, The Physics of Musical Instruments, table 21.1)."""


def bell(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    made = np.zeros(len(t))
    f = draw.uniform(380, 560) * manner.pitch
    for place in np.arange(0.05, t[-1], 2.5 / manner.pace):
        d = t[: len(t) - round(place * SAMPLE_RATE_HZ)]
        stroke = sum(level * np.exp(-d * fade) * np.sin(2 * np.pi * f * ratio * d) for ratio, level, fade in BELL)
        put(made, round(place * SAMPLE_RATE_HZ), stroke * np.minimum(1, d / 0.002))
    return made


def footsteps(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Heel and toe, two steps a second."""
    made = np.zeros(len(t))
    place = draw.uniform(0.1, 0.3)
    while place < t[-1]:
        d = seconds(0.14)
        thud = np.exp(-d * 38) * band(draw, len(d), 70, 260 * manner.pitch)
        scrape = np.exp(-d * 60) * band(draw, len(d), 700, 4500)
        loud = draw.uniform(0.8, 1.1)
        put(made, round(place * SAMPLE_RATE_HZ), loud * (thud + 0.35 * scrape))
        put(made, round((place + 0.075) * SAMPLE_RATE_HZ), 0.35 * loud * (0.5 * thud + 0.5 * scrape))
        place += draw.normal(0.5, 0.012) / manner.pace
    return made + 0.002 * draw.normal(0, 1, len(t))


def knock(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Three knocks on wood, a pause, and again."""
    made = np.zeros(len(t))
    place = 0.15
    f = draw.uniform(150, 230) * manner.pitch
    while place < t[-1]:
        for _ in range(3):
            d = seconds(0.2)
            wood = sum(
                a * np.exp(-d * k) * np.sin(2 * np.pi * f * r * d)
                for a, k, r in ((1, 28, 1), (0.6, 40, 2.3), (0.35, 60, 3.9))
            )
            click = 0.4 * np.exp(-d * 500) * draw.normal(0, 1, len(d))
            put(made, round(place * SAMPLE_RATE_HZ), draw.uniform(0.85, 1.1) * (wood + click))
            place += 0.2 / manner.pace
        place += draw.uniform(0.9, 1.2) / manner.pace
    return made + 0.001 * draw.normal(0, 1, len(t))


def applause(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Forty people, each clapping three to five times a second in a rhythm of his own; it swells and goes on."""
    made = np.zeros(len(t))
    for _ in range(round(40 * manner.strength)):
        middle, rate, loud = draw.uniform(900, 2400), draw.uniform(3.0, 5.0) * manner.pace, draw.uniform(0.2, 1.0)
        d = seconds(0.03)
        clap = loud * np.exp(-d * 170) * band(draw, len(d), middle * 0.7, middle * 1.5)
        place = draw.uniform(0, 0.4)
        while place < t[-1]:
            put(made, round(place * SAMPLE_RATE_HZ), clap)
            place += max(0.1, draw.normal(1 / rate, 0.02))
    return made * np.minimum(1, 0.3 + t / 0.8)


def glass(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A pane breaks: a crash, then pieces that ring as they fall."""
    made = np.zeros(len(t))

    def piece(draw: np.random.Generator) -> np.ndarray:
        d = seconds(0.18)
        f = draw.uniform(3000, 9500) * manner.pitch
        ring = np.exp(-d * draw.uniform(25, 70)) * np.sin(2 * np.pi * f * d)
        return draw.exponential(0.35) * (ring + 0.6 * np.exp(-d * 60) * np.sin(2 * np.pi * f * 1.57 * d))

    crash = np.exp(-np.clip(t - 0.1, 0, None) * 14) * (t >= 0.1)
    made += manner.strength * crash * band(draw, len(t), 1500, 11000)
    falling = strew(draw, len(t), 90, piece) * np.exp(-np.clip(t - 0.1, 0, None) * 1.8) * (t >= 0.1)
    return made + falling


def heartbeat(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Two dull beats, seventy times a minute."""
    made = np.zeros(len(t))
    d = seconds(0.2)
    place = 0.1
    while place < t[-1]:
        for offset, f, loud in ((0.0, 52, 1.0), (0.3, 66, 0.7)):
            beat = np.exp(-d * 22) * np.sin(2 * np.pi * f * manner.pitch * d) * np.minimum(1, d / 0.01)
            put(made, round((place + offset / manner.pace) * SAMPLE_RATE_HZ), loud * beat)
        place += draw.normal(60 / 70, 0.015) / manner.pace
    return made * drift(draw, t, 2.0, 0.95, 1.05)
