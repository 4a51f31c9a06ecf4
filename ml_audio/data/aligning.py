"""When each phoneme of a recording is said, told by a voice that says the same: dynamic time warping.

The voice knows its own durations; the path that lays its spectrogram on the recording's carries them over (Sakoe and
Chiba 1978). Compared are cepstra, each normalised over the clip, so that another throat and microphone matter little.
Shapes: P phonemes, S frames that the voice makes, T frames of the recording, M mel bins.
"""

from functools import cache

import numpy as np

from ml_audio.models.spectrogram import Scale
from ml_audio.models.voice import Voice

CEPSTRA = 13


@cache
def _cosines(bins: int) -> np.ndarray:
    """(M, C) of a cosine transform, without the zeroth: loudness is no sound."""
    places = (np.arange(bins) + 0.5)[:, None] * np.arange(1, CEPSTRA + 1) * np.pi / bins
    return np.cos(places).astype(np.float32)


def cepstra(mel: np.ndarray) -> np.ndarray:
    """(T, M) -> (T, C + 1): cepstra, and loudness with a smaller weight."""
    shape = mel @ _cosines(mel.shape[1])
    found = np.concatenate([shape, mel.mean(1, keepdims=True)], 1)
    return (found - found.mean(0)) / (found.std(0) + 1e-5)


def warp(cost: np.ndarray) -> np.ndarray:
    """(S, T) costs -> (S,) the frame of the recording that each frame of the voice lies on, never going back.

    Filled along the diagonals, whose places do not depend on each other.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    step = np.zeros((rows, columns), np.int8)
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        ways = np.stack(
            [total[i, j], total[i, j + 1] + 0.1, total[i + 1, j] + 0.1]
        )  # straight on is preferred a little
        step[i, j] = ways.argmin(0)
        total[i + 1, j + 1] = ways.min(0) + cost[i, j]
    path = np.zeros(rows, np.int64)
    i, j = rows - 1, columns - 1
    while i >= 0 and j >= 0:
        path[i] = j
        move = step[i, j]
        i, j = i - (move != 2), j - (move != 1)
    return path


def durations(voice: Voice, phonemes: list[str], mel: np.ndarray, scale: Scale, speaker: str = "") -> np.ndarray:
    """(P,) frames of each phoneme in (T, M) log-mel, together T."""
    import torch

    made, frames = voice.spectrogram(phonemes, speaker)
    ours, theirs = cepstra(made.numpy()), cepstra(scale.mel(torch.from_numpy(mel)).numpy())
    cost = np.sqrt(np.maximum(0, (ours**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * ours @ theirs.T))
    path = warp(cost)
    starts = np.concatenate([[0], np.cumsum(frames.numpy())[:-1]])
    placed = path[np.minimum(starts, len(path) - 1)]
    placed[0] = 0
    return np.diff([*placed, len(mel)]).clip(min=0).astype(np.int32)
