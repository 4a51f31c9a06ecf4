"""What a model says or plays while it learns, for the job's events: the same words each time, as MP3."""

import base64
from collections.abc import Callable

import numpy as np
from torch import nn

from ml_audio.models.voice import Voice
from ml_audio.sound.encoding import encode
from ml_audio.spoken import spoken
from shared.training.progress import Progress

SENTENCE = "This is how I sound by now, after so many steps."
LONGEST_S = 10
"""A network that has just begun may want to hold a sound for minutes."""
Show = Callable[[Progress], None]


def shower(prompt: str, sample_rate_hz: int, make: Callable[[], np.ndarray]) -> Show:
    """What the training loop is to call; `make` gives (N,) or (N, 2) in [-1, 1], of which silence is not shown."""

    def show(progress: Progress) -> None:
        samples = make()[: LONGEST_S * sample_rate_hz]
        if samples.any():
            file = base64.b64encode(encode(samples, sample_rate_hz, "mp3")).decode()
            progress.sounds([{"prompt": prompt, "format": "mp3", "b64_json": file}])

    return show


def speech(voice: Voice, loss: nn.Module, speaker: str = "") -> Show:
    """SENTENCE by `voice`, whose network `loss` trains."""

    def make() -> np.ndarray:
        loss.eval()
        samples = voice.say(spoken(SENTENCE), speaker).numpy()
        loss.train()
        return samples

    return shower(SENTENCE, voice.sample_rate_hz, make)
