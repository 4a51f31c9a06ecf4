"""Before a model is published: what its folder gives when it is loaded anew is what the trainer saw, within rounding.

It finds weights that were lost on their way to disk, running means that were not kept, a wrong scale of an adapter.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_audio.data.preparing import Dataset
from ml_audio.models.recogniser import Recogniser
from ml_audio.models.voice import Voice
from shared.errors import ServiceError

CLIPS = 4
TOLERANCE = 2e-2
"""Of log-probabilities and of normalised log-mels: half precision's rounding, well below what can be heard."""


class Unfaithful(ServiceError):
    """The saved model does not answer as the trained one."""

    default_code = "parity_failed"


def same_hearing(
    recogniser: Recogniser, dataset: Dataset, card: dict[str, Any], base: Callable[[], Recogniser] | None = None
) -> Callable[[Path], None]:
    """The check for `finish`; `base` opens what an adapter stands on, in as many bits as it was trained on.

    Raises Unfaithful.
    """

    def check(folder: Path) -> None:
        recogniser.model.eval()
        again = base() if base else Recogniser.from_pretrained(folder)
        if base is not None:
            again.model = _adapted(again.model, folder)
        furthest = 0.0
        for place in dataset.train[:CLIPS]:
            energies = torch.from_numpy(dataset.shards.get("features", place).astype(np.float32))
            furthest = max(furthest, _apart(recogniser.read(energies), again.read(energies)))
        _judge(furthest, card, "log-probabilities")

    return check


def same_speaking(
    voice: Voice, dataset: Dataset, card: dict[str, Any], base: Callable[[], Voice] | None = None
) -> Callable[[Path], None]:
    """The same for a voice: its spectrograms and its sound."""

    def check(folder: Path) -> None:
        voice.acoustic.eval()
        again = base() if base else Voice.from_pretrained(folder)
        if base is not None:
            again.acoustic = _adapted(again.acoustic, folder)
        furthest = 0.0
        for place in dataset.train[:CLIPS]:
            phonemes = dataset.shards.row(int(place))["phonemes"]
            (ours, frames), (theirs, others) = voice.spectrogram(phonemes), again.spectrogram(phonemes)
            if (frames != others).float().mean() > 0.1:  # a duration at the edge of a frame may be rounded either way
                raise Unfaithful(
                    f"the saved voice has other durations: {frames.sum()} frames, {others.sum()}; not published"
                )
            if len(ours) == len(theirs):
                furthest = max(furthest, _apart(ours.numpy(), theirs.numpy()))
        _judge(furthest, card, "spectrograms")

    return check


def _adapted(model: Any, folder: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(folder)).eval()


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The mean distance; infinite for other shapes and for what is no number."""
    if ours.shape != theirs.shape:
        return float("inf")
    apart = float(np.abs(np.exp(ours) - np.exp(theirs)).mean() if (ours <= 0).all() else np.abs(ours - theirs).mean())
    return apart if np.isfinite(apart) else float("inf")


def _judge(furthest: float, card: dict[str, Any], what: str) -> None:
    card["parity"] = {"checked": True, "apart": round(furthest, 6) if np.isfinite(furthest) else None}
    if not furthest <= TOLERANCE:
        raise Unfaithful(
            f"the saved model is not the trained one: {what} {furthest:.4f} apart where {TOLERANCE} is rounding"
        )
