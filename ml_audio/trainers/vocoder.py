"""A vocoder from random weights, on crops of recordings; its losses are `spectral_loss` alone, no adversary."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor, nn

from ml_audio.data.preparing import Dataset
from ml_audio.data.speaking import scale_of
from ml_audio.models.vocoder import Vocoder, VocoderConfig
from ml_audio.settings import AudioSettings
from ml_audio.trainers.losses import spectral_loss
from ml_audio.trainers.sounds import Begun, learn
from ml_audio.trainers.starting import QUICK, ClipArgs


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    init: Path | None = Field(None, description="begin with this vocoder folder's weights, not at random")
    channels: int = Field(160, gt=0, description="width of the trunk")
    hidden: int = Field(400, gt=0, description="width inside a block")
    layers: int = Field(4, gt=0, description="blocks")
    crop: int = Field(48, ge=8, description="frames of 16 ms per crop")
    learning_rate: float = Field(2e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(50, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(1e-3, ge=0, description="on matrices; never on norms and biases")
    beta2: float = Field(0.99, gt=0, lt=1, description="AdamW's second moment")


class SoundLoss(nn.Module):
    def __init__(self, vocoder: Vocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, mel: Tensor, samples: Tensor) -> Tensor:
        """(B, T, M), (B, N)"""
        return spectral_loss(self.vocoder(mel), samples) * len(samples)


def main(args: Args, settings: AudioSettings) -> str:
    def begin(dataset: Dataset) -> Begun:
        if args.init:
            vocoder = Vocoder.from_pretrained(args.init)
        else:
            scale = scale_of(dataset.shards, dataset.train)
            vocoder = Vocoder(VocoderConfig(scale, channels=args.channels, hidden=args.hidden, layers=args.layers))
        return vocoder, SoundLoss(vocoder), vocoder.config.scale

    return learn(args, settings, "vocoder-scratch", begin)
