"""The last step of whatever is made here: as loud as the rest, never clipped."""

import numpy as np

PEAK_DB = -1.0


def master(mix: np.ndarray, loudness_db: float) -> np.ndarray:
    """(n, 2) float32 within PEAK_DB: brought to a root mean square of `loudness_db` relative to full scale, peaks bent.

    What lies above a knee at 0.6 of the highest peak follows a tanh, so that a few strokes do not make the whole quiet.
    Silence stays silence.
    """
    level = float(np.sqrt(np.mean(np.square(mix, dtype=np.float64))))
    if level < 1e-9:
        return np.zeros(mix.shape, dtype=np.float32)
    made = mix * (10 ** (loudness_db / 20) / level)
    ceiling = 10 ** (PEAK_DB / 20)
    knee = 0.6 * ceiling
    loud = np.abs(made)
    over = loud > knee
    made[over] = np.sign(made[over]) * (knee + (ceiling - knee) * np.tanh((loud[over] - knee) / (ceiling - knee)))
    return made.astype(np.float32)
