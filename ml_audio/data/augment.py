"""One recording as if it had been made elsewhere: another throat, a room, noise, a telephone; on log-mel energies.

Done after the filter bank, where it costs a millisecond a clip: a noise adds to the energies, an echo smears them in
time, a throat of another length shifts them in frequency (https://www.cs.toronto.edu/~hinton/absps/perturb.pdf).
Masks are SpecAugment's (https://arxiv.org/abs/1904.08779). Shapes: T frames of 10 ms, M bins.
"""

import numpy as np

Features = np.ndarray
Track = np.ndarray
"""(T,) what is said in each frame, moved along with it."""
TELEPHONE_BIN = 59
"""The first of 80 bins above 3.9 kHz."""


def augment(x: Features, track: Track, r: np.random.Generator, strength: float = 1.0) -> tuple[Features, Track]:
    """(T, M) natural logarithms of energies -> (T', M). `strength` in 0 … 1: how often something is done at all."""
    if r.random() < 0.6 * strength:
        x, track = warp(x, track, r.uniform(0.88, 1.12), r.uniform(0.9, 1.1))
    if r.random() < 0.5 * strength:
        x, track = pad(x, track, int(r.integers(0, 30)), int(r.integers(0, 30)))
    if r.random() < 0.35 * strength:
        x = echo(x, r.uniform(0.15, 0.7), r.uniform(0.05, 0.6))
    if r.random() < 0.25 * strength:
        x = telephone(x, r)
    if r.random() < 0.75 * strength:
        x = noise(x, r.uniform(3, 30), r)
    return x, track


def warp(x: Features, track: Track, tempo: float, throat: float) -> tuple[Features, Track]:
    """Faster by `tempo`, and every formant higher by `throat`; linear between the neighbours."""
    frames = np.minimum(np.arange(0, len(x) - 1, tempo), len(x) - 1.001)
    x = _between(x, frames)
    bins = np.clip(np.arange(x.shape[1]) / throat, 0, x.shape[1] - 1.001)
    return _between(x.T, bins).T, track[np.round(frames).astype(np.int64)]


def _between(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    low = places.astype(np.int64)
    share = (places - low).astype(np.float32)[:, None]
    return x[low] * (1 - share) + x[low + 1] * share


def pad(x: Features, track: Track, before: int, after: int) -> tuple[Features, Track]:
    """Silence at the ends: as quiet as the quietest tenth of each bin; 0 in the track."""
    quiet = np.partition(x, len(x) // 10, axis=0)[len(x) // 10]
    x = np.concatenate([np.tile(quiet, (before, 1)), x, np.tile(quiet, (after, 1))])
    return x, np.pad(track, (before, after))


def echo(x: Features, seconds: float, level: float) -> Features:
    """A room whose sound falls by 60 dB in `seconds`, its energy `level` of the direct one."""
    decay = 10 ** (-6 * 0.01 / seconds)
    power = np.exp(x)
    tail = np.zeros_like(power)
    for frame in range(1, len(power)):
        tail[frame] = decay * tail[frame - 1] + level * (1 - decay) * power[frame - 1]
    return np.log(power + tail).astype(np.float32)


def telephone(x: Features, r: np.random.Generator) -> Features:
    """Nothing above 3.4 to 4 kHz, and nothing below 300 Hz for some."""
    x = x.copy()
    x[:, TELEPHONE_BIN - int(r.integers(0, 5)) :] -= r.uniform(4, 14)
    if r.random() < 0.3:
        x[:, :9] -= r.uniform(2, 6)
    return x


def noise(x: Features, snr_db: float, r: np.random.Generator) -> Features:
    """Coloured noise, steady or swelling."""
    frames, bins = x.shape
    slope = np.linspace(r.uniform(-2.5, 2.5), r.uniform(-2.5, 2.5), bins)
    bump = r.uniform(0, 2) * np.exp(-(((np.arange(bins) - r.uniform(0, bins)) / r.uniform(4, 20)) ** 2))
    swell = r.uniform(0, 1.5) * np.sin(np.arange(frames) * r.uniform(0.005, 0.15) + r.uniform(0, 6.3))[:, None]
    grain = np.log(r.gamma(2.0, 0.5, (frames, bins)))  # the energy of a noise in a window is a chi-square
    spectrum = slope + bump + swell + grain
    level = np.log(np.exp(x).mean()) - snr_db / 10 * np.log(10) - np.log(np.exp(spectrum).mean())
    return np.logaddexp(x, (spectrum + level).astype(np.float32))


def mask(x: Features, r: np.random.Generator) -> Features:
    """Stripes of normalised features set to their mean, 0."""
    x = x.copy()
    for _ in range(2):
        start, width = r.integers(0, max(1, len(x) - 20)), r.integers(0, 15)
        x[start : start + width] = 0
        low, height = r.integers(0, x.shape[1] - 12), r.integers(0, 13)
        x[:, low : low + height] = 0
    return x


def normalise(x: Features) -> Features:
    """Mean 0 and variance 1 of each bin over the clip, as SeamlessM4TFeatureExtractor does it."""
    return (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + 1e-7)
