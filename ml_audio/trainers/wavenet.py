"""A WaveNet from random weights: recordings sample by sample, given their spectrograms, so that it can be a vocoder."""

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ml_audio.data.preparing import Dataset
from ml_audio.data.speaking import scale_of
from ml_audio.models.spectrogram import BINS, HOP
from ml_audio.models.wavenet import WaveNet, WaveNetConfig, compress
from ml_audio.settings import AudioSettings
from ml_audio.trainers.sounds import Begun, learn
from ml_audio.trainers.starting import QUICK, ClipArgs


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    residual: int = Field(48, gt=0, description="channels from layer to layer")
    skip: int = Field(96, gt=0, description="channels of the sum that the output is made of")
    cycle: int = Field(9, gt=0, description="layers until the dilation begins again at 1")
    cycles: int = Field(2, gt=0, description="how often it begins again")
    conditioned: bool = Field(True, description="on the spectrogram, as a vocoder; else sound of its own")
    batch_size: int = Field(4, gt=0, description="crops per forward pass")
    crop: int = Field(16, ge=4, description="frames of 16 ms per crop")
    learning_rate: float = Field(3e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(50, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on matrices; never on norms and biases")


class SampleLoss(nn.Module):
    def __init__(self, wavenet: WaveNet) -> None:
        super().__init__()
        self.wavenet = wavenet

    def forward(self, mel: Tensor, samples: Tensor) -> Tensor:
        """(B, T, M), (B, N): nats per sample, times B."""
        config = self.wavenet.config
        numbers = compress(samples, config.levels)  # (B, N)
        condition = mel if config.condition else None
        logits = self.wavenet(numbers[:, :-1], condition)  # (B, N - 1, Q)
        return F.cross_entropy(logits.flatten(0, 1), numbers[:, 1:].flatten()) * len(samples)


def main(args: Args, settings: AudioSettings) -> str:
    def begin(dataset: Dataset) -> Begun:
        sizes = {field: getattr(args, field) for field in ("residual", "skip", "cycle", "cycles")}
        wavenet = WaveNet(WaveNetConfig(**sizes, condition=BINS if args.conditioned else 0, hop=HOP))
        return wavenet, SampleLoss(wavenet), scale_of(dataset.shards, dataset.train)

    return learn(args, settings, "wavenet-scratch", begin)
