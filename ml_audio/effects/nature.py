"""Weather and water: each `(draw, t, manner) -> (n,)`, t the times of the samples in seconds."""

import numpy as np

from ml_audio.effects.noise import SAMPLE_RATE_HZ, Manner, band, drift, put, seconds, strew


def rain(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A hiss of far drops, and near ones that are heard one by one."""

    def drop(draw: np.random.Generator) -> np.ndarray:
        d = seconds(0.02)
        f = draw.uniform(2200, 7000) * manner.pitch
        return draw.exponential(0.5) * np.exp(-d * draw.uniform(250, 600)) * np.sin(2 * np.pi * f * d)

    hiss = band(draw, len(t), 1200, 9000) * drift(draw, t, 1.5, 0.9, 1.1)
    return 0.35 * manner.strength * hiss + strew(draw, len(t), 180 * manner.strength, drop)


def wind(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Gusts: a band of noise that rises in pitch as it rises in strength."""
    gust = drift(draw, t, 1.8 / manner.pace, 0.05, 1.0)
    low = band(draw, len(t), 80, 350 * manner.pitch)
    whistle = band(draw, len(t), 450 * manner.pitch, 900 * manner.pitch)
    return low * (0.3 + 0.7 * gust) + 0.7 * manner.strength * whistle * gust**2


def waves(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Breakers every seven seconds or so: a slow swell, a crash of foam, a long hiss as it runs back."""
    rumble = band(draw, len(t), 40, 400)
    foam = band(draw, len(t), 500, 7000)
    body, spray = np.zeros(len(t)), np.zeros(len(t))
    place = -draw.uniform(0, 3)
    while place < t[-1]:
        since = t - place - 2.2
        rise = np.exp(-(np.clip(-since, 0, None) ** 2) / 1.2)
        fall = np.exp(-np.clip(since, 0, None) / draw.uniform(0.9, 1.4))
        body += rise * fall
        spray += np.where(since > -0.6, 1, 0) * np.exp(-(np.clip(-since, 0, None) ** 2) / 0.08) * fall**0.8
        place += draw.uniform(5.5, 8.5) / manner.pace
    return 0.6 * rumble * (0.15 + body) + 0.55 * manner.strength * foam * (0.06 + spray)


def thunder(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A crack, and a rumble that rolls on for seconds as the sound comes from ever farther parts of the flash."""
    made = np.zeros(len(t))
    place = draw.uniform(0.1, 0.4)
    while place < t[-1]:
        d = t - place
        after = d >= 0
        since = np.clip(d, 0, None)
        roll = drift(draw, t, 0.22, 0.15, 1.0) * np.exp(-since * 0.55) * np.minimum(1, since / 0.05)
        made += after * roll * 2.2 * band(draw, len(t), 22, 110)
        crack = np.exp(-since * 9) * manner.strength
        made += after * crack * 0.8 * band(draw, len(t), 90, 2500)
        place += draw.uniform(6, 10)
    return made


def stream(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Running water: bubbles, each a falling or rising chirp, over a soft rush."""

    def bubble(draw: np.random.Generator) -> np.ndarray:
        d = seconds(draw.uniform(0.02, 0.07))
        f = draw.uniform(450, 1500) * manner.pitch
        turns = f * d * (1 + draw.uniform(0.5, 3) * d / d[-1] * 0.3)
        return draw.uniform(0.1, 0.6) * np.sin(2 * np.pi * turns) * np.hanning(len(d))

    rush = band(draw, len(t), 300, 2600) * drift(draw, t, 0.6, 0.8, 1.2)
    return 0.12 * rush + strew(draw, len(t), 70 * manner.strength, bubble)


def fire(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """A low roar and crackles: very short, now and then in bursts."""

    def crackle(draw: np.random.Generator) -> np.ndarray:
        d = seconds(0.012)
        snap = np.zeros(round(0.15 * SAMPLE_RATE_HZ))
        for _ in range(draw.integers(1, 5)):
            loud = draw.exponential(0.9)
            put(snap, int(draw.integers(0, len(snap))), loud * draw.normal(0, 1, len(d)) * np.exp(-d * 900))
        return snap

    roar = band(draw, len(t), 60, 500) * drift(draw, t, 0.3, 0.5, 1.0)
    return 0.2 * roar + strew(draw, len(t), 9 * manner.strength, crackle)
