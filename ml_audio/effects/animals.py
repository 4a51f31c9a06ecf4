"""Birds and insects: each `(draw, t, manner) -> (n,)`."""

import numpy as np

from ml_audio.effects.noise import SAMPLE_RATE_HZ, Manner, band, put, seconds


def birds(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Three birds, each with a song of its own: a motif of whistles that it repeats with pauses."""
    made = np.zeros(len(t))
    for _ in range(3):
        middle = draw.uniform(2600, 4800) * manner.pitch
        song = [(draw.uniform(0.05, 0.18), draw.uniform(-0.25, 0.25), draw.uniform(-0.35, 0.35)) for _ in range(4)]
        loud = draw.uniform(0.35, 1.0)
        place = draw.uniform(0, 0.8)
        while place < t[-1]:
            for length, offset, slide in song:
                d = seconds(length)
                f = middle * (1 + offset + slide * d / d[-1])
                whistle = np.sin(2 * np.pi * np.cumsum(f) / SAMPLE_RATE_HZ) * np.hanning(len(d))
                put(made, round(place * SAMPLE_RATE_HZ), loud * whistle)
                place += length + draw.uniform(0.02, 0.06)
            place += draw.uniform(0.4, 1.6) / manner.pace
    return made + 0.01 * band(draw, len(t), 200, 4000)


def crickets(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Chirps of three pulses near 4.5 kHz, two or three a second, from several insects."""
    made = np.zeros(len(t))
    for _ in range(4):
        f = draw.uniform(4200, 5000) * manner.pitch
        rate, loud, first = draw.uniform(2.0, 2.8) * manner.pace, draw.uniform(0.3, 1.0), draw.uniform(0, 0.5)
        phase = ((t - first) * rate) % 1 / rate  # seconds into the chirp
        pulse = np.clip(np.sin(np.pi * (phase % 0.035) / 0.025), 0, None) * (phase % 0.035 < 0.025) * (phase < 0.105)
        made += loud * pulse * np.sin(2 * np.pi * f * t)
    return made + 0.01 * band(draw, len(t), 200, 3000)


def dog(draw: np.random.Generator, t: np.ndarray, manner: Manner) -> np.ndarray:
    """Barks in twos and threes: a rough voice that jumps up and falls."""
    made = np.zeros(len(t))
    place = draw.uniform(0.05, 0.3)
    f0 = draw.uniform(330, 480) * manner.pitch
    while place < t[-1]:
        for _ in range(draw.integers(2, 4)):
            d = seconds(draw.uniform(0.14, 0.2))
            x = d / d[-1]
            f = f0 * (0.75 + 0.6 * np.sin(np.pi * np.minimum(1, x * 1.4)) - 0.25 * x)
            turns = np.cumsum(f) / SAMPLE_RATE_HZ
            voice = sum(np.sin(2 * np.pi * n * turns) / n**0.7 for n in range(1, 9))
            rough = 1 + 0.4 * draw.normal(0, 1, len(d))
            put(made, round(place * SAMPLE_RATE_HZ), np.tanh(voice * rough) * np.sin(np.pi * x) ** 0.6)
            place += draw.uniform(0.28, 0.4) / manner.pace
        place += draw.uniform(0.5, 1.2) / manner.pace
    return made
