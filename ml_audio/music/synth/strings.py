"""A section of bowed strings: one bright wave, read by players who each have a vibrato and a pitch of their own."""

import numpy as np

from ml_audio.music.synth.sound import frequency_hz, seconds

PLAYERS_CENTS = (-2.5, 0.0, 2.5)
"""How far off each player is; together they are in tune."""
VIBRATO_CENTS = 7.0
TABLE = 4096
"""Samples of the wave: with 18 partials its steps lie 70 dB below."""


def note(pitch: int, duration_s: float) -> np.ndarray:
    """(n,) float32, |x| about 1: a slow attack, and a tone that lasts."""
    t = seconds(duration_s)
    draw = np.random.default_rng(pitch)
    f0 = frequency_hz(pitch)
    table = _wave(f0, draw)
    grown = np.minimum(1, t / 0.5)
    wave = np.zeros(len(t), dtype=np.float32)
    for cents in PLAYERS_CENTS:
        rate, turn, first = draw.uniform(4.8, 6.0), draw.uniform(0, 2 * np.pi), draw.uniform(0, 1)
        depth = f0 * (2 ** (VIBRATO_CENTS / 1200) - 1) / (2 * np.pi * rate)  # of the phase, in turns
        turns = first + f0 * 2 ** (cents / 1200) * t + depth * grown * np.sin(2 * np.pi * rate * t + turn)
        wave += table[(turns % 1 * TABLE).astype(np.int32)]
    rosin = np.convolve(draw.normal(0, 1, len(t)), np.ones(8) / 8, "same")
    return (wave / len(PLAYERS_CENTS) + 0.012 * rosin) * np.minimum(1, t / (0.07 + 6 / f0)) * 0.62


def _wave(f0: float, draw: np.random.Generator) -> np.ndarray:
    """One turn; partials above 9 kHz are left out, those about the body's resonances are stronger."""
    turn = 2 * np.pi * np.arange(TABLE) / TABLE
    wave = np.zeros(TABLE)
    for n in range(1, int(min(18, 9000 / f0)) + 1):
        level = n**-1.25 * (1.35 if 300 < f0 * n < 1400 else 1.0)
        wave += level * np.sin(n * turn + draw.uniform(0, 2 * np.pi))
    return wave.astype(np.float32)
