"""Are effects what they are called? Each is measured, and told from all others by what was measured.

    python -m benchmarks.effects [--seeds 6]

A check per effect holds what its name promises (thunder's low band, a bell's minor third, the rate of footsteps). Then
every sound is told by its nearest neighbour among the others, those of its own seed left out: figures of spectrum and
envelope alone. White noise stands beside them as what a check must refuse.
"""

import argparse
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np

from benchmarks.machine import describe, table
from ml_audio.effects import EFFECTS, generate_effect
from ml_audio.effects.noise import SAMPLE_RATE_HZ

DURATION_S = 6.0
BANDS_HZ = (20, 60, 120, 250, 500, 1000, 2000, 4000, 8000, 20000)


@lru_cache(1)
def _spectrum(sound: bytes) -> tuple[np.ndarray, np.ndarray]:
    power = np.abs(np.fft.rfft(np.frombuffer(sound, np.float32))) ** 2
    return power / power.sum(), np.fft.rfftfreq(len(sound) // 4, 1 / SAMPLE_RATE_HZ)


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each frequency's part of the power, and the frequencies; kept for the next question about the same sound."""
    return _spectrum(sound.astype(np.float32).tobytes())


def share(sound: np.ndarray, low_hz: float, high_hz: float) -> float:
    power, frequencies = spectrum(sound)
    return float(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum())


def envelope(sound: np.ndarray) -> np.ndarray:
    """(100 a second,) root mean square."""
    hop = SAMPLE_RATE_HZ // 100
    return np.sqrt(np.mean(sound[: len(sound) // hop * hop].reshape(-1, hop) ** 2, axis=1))


def strokes_per_s(sound: np.ndarray, apart_s: float = 0.2) -> float:
    level = envelope(sound)
    ups = np.flatnonzero((level[1:] > level.max() / 2) & (level[:-1] <= level.max() / 2))
    return (1 + int((np.diff(ups) > apart_s * 100).sum())) / DURATION_S if len(ups) else 0.0


def unevenness(sound: np.ndarray) -> float:
    level = envelope(sound)
    return float(level.std() / level.mean())


def swelling(sound: np.ndarray) -> float:
    """Unevenness from one quarter of a second to the next."""
    level = envelope(sound)
    slow = level[: len(level) // 25 * 25].reshape(-1, 25).mean(axis=1)
    return float(slow.std() / slow.mean())


def wandering_hz(sound: np.ndarray) -> float:
    """Over what range the strongest frequency of each tenth of a second moves, its outermost tenths left out."""
    frames = sound[: len(sound) // 4410 * 4410].reshape(-1, 4410) * np.hanning(4410)
    strongest = np.abs(np.fft.rfft(frames, axis=1)).argmax(axis=1) * SAMPLE_RATE_HZ / 4410
    low, high = np.quantile(strongest, [0.1, 0.9])
    return float(high - low)


def peakedness(sound: np.ndarray) -> float:
    """The share of the power in the 20 strongest of 3 Hz wide bins: near 1 for tones, near 0 for noise."""
    power = spectrum(sound)[0]
    bins = np.add.reduceat(power, np.arange(0, len(power), 18))
    return float(np.sort(bins)[-20:].sum())


def minor_third(sound: np.ndarray) -> bool:
    power, frequencies = spectrum(sound)
    strike = frequencies[np.argmax(power * ((frequencies > 350) & (frequencies < 600)))]
    near, off = (np.abs(frequencies - strike * ratio) < 6 for ratio in (1.183, 1.32))
    return bool(power[near].max() > 30 * power[off].max())


CHECKS: dict[str, tuple[str, Callable[[np.ndarray], bool]]] = {
    "rain": ("above 1 kHz, even, no tone", lambda x: share(x, 1000, 20000) > 0.9 and unevenness(x) < 0.3),
    "wind": ("60 to 1,200 Hz, in gusts", lambda x: share(x, 60, 1200) > 0.9 and 0.1 < unevenness(x) < 1),
    "waves": ("low and high together, swelling", lambda x: share(x, 20, 500) > 0.2 and unevenness(x) > 0.3),
    "thunder": ("four fifths below 200 Hz, dying", lambda x: share(x, 0, 200) > 0.8 and peakedness(x) < 0.9),
    "stream": ("300 Hz to 4 kHz, lively", lambda x: share(x, 300, 4000) > 0.9),
    "fire": ("crackles over a roar", lambda x: share(x, 30, 600) > 0.05 and share(x, 2000, 20000) > 0.2),
    "birds": ("1.5 to 7 kHz, with pauses", lambda x: share(x, 1500, 8000) > 0.9 and unevenness(x) > 0.6),
    "crickets": ("near 4.5 kHz", lambda x: share(x, 4000, 5200) > 0.8),
    "dog": ("a voice, in barks", lambda x: share(x, 200, 3500) > 0.8 and unevenness(x) > 0.9),
    "engine": ("below 500 Hz, steady", lambda x: share(x, 20, 500) > 0.85 and swelling(x) < 0.3),
    "alarm": ("two tones, steady", lambda x: peakedness(x) > 0.7 and unevenness(x) < 0.3),
    "siren": ("a tone that wanders by 300 Hz and more", lambda x: share(x, 550, 7500) > 0.9 and wandering_hz(x) > 300),
    "clock": ("two strokes a second", lambda x: 1.5 < strokes_per_s(x) < 2.5 and share(x, 2000, 20000) > 0.7),
    "phone": ("tones, half of the time", lambda x: share(x, 1200, 4500) > 0.8 and unevenness(x) > 0.6),
    "train": ("low, knocking", lambda x: share(x, 20, 400) > 0.6 and 0.2 < unevenness(x) < 1.2),
    "bell": ("a minor third above the strike note", minor_third),
    "footsteps": (
        "two steps a second, below 600 Hz",
        lambda x: 1.6 < strokes_per_s(x) < 2.4 and share(x, 0, 600) > 0.6,
    ),
    "knock": ("wood, in threes", lambda x: share(x, 100, 1200) > 0.8 and unevenness(x) > 1),
    "applause": ("0.6 to 6 kHz, dense", lambda x: share(x, 500, 6000) > 0.8 and unevenness(x) < 0.6),
    "glass": ("above 1.5 kHz, at once", lambda x: share(x, 1500, 20000) > 0.9 and unevenness(x) > 1.2),
    "heartbeat": ("below 120 Hz, in beats", lambda x: share(x, 20, 120) > 0.9 and unevenness(x) > 0.7),
}


def figures(sound: np.ndarray) -> np.ndarray:
    bands = [share(sound, low, high) for low, high in pairwise(BANDS_HZ)]
    level = envelope(sound)
    fast = float(np.abs(np.diff(level)).mean() / level.mean())
    return np.array([*np.log10(np.array(bands) + 1e-4), 2 * unevenness(sound), 4 * peakedness(sound), 6 * fast])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=6)
    args = options.parse_args()
    print(describe())
    noise = np.random.default_rng(0).normal(0, 0.1, round(DURATION_S * SAMPLE_RATE_HZ))
    begun = time.perf_counter()
    sounds = {name: [generate_effect(name, DURATION_S, seed) for seed in range(args.seeds)] for name in EFFECTS}
    spent = (time.perf_counter() - begun) / len(EFFECTS) / args.seeds
    names = [name for name in EFFECTS for _ in range(args.seeds)]
    points = np.stack([figures(sound.mean(axis=1)) for name in EFFECTS for sound in sounds[name]])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points)) * 1e9
    told = [names[int(nearest)] for nearest in apart.argmin(axis=1)]
    rows: list[list[object]] = []
    for name, (promise, check) in CHECKS.items():
        passed = sum(check(sound.mean(axis=1)) for sound in sounds[name])
        others = sum(check(noise) for _ in range(1))
        right = sum(one == other == name for one, other in zip(names, told, strict=True))
        peak = max(float(np.abs(sound).max()) for sound in sounds[name])
        rows.append([name, promise, f"{passed}/{args.seeds}", "yes" if others else "no", f"{right}/{args.seeds}", peak])
    print(table(["effect", "what it promises", "kept", "noise passes", "told from all others", "peak"], rows))
    share_told = np.mean([one == other for one, other in zip(names, told, strict=True)])
    print(
        f"\ntold apart: {share_told:.1%} (chance {1 / len(EFFECTS):.1%}); {spent:.2f} s for {DURATION_S:g} s of sound"
    )


if __name__ == "__main__":
    main()
