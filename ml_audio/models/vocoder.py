"""Log-mel spectrogram -> sound: a network that makes magnitudes and phases, or phases found by iteration.

Vocos (https://arxiv.org/abs/2306.00814): a ConvNeXt trunk at the frame rate, no upsampling, so that a second of speech
costs 63 columns. Griffin and Lim (https://doi.org/10.1109/TASSP.1984.1164317), sped up by momentum
(https://doi.org/10.1109/WASPAA.2013.6701851), needs no weights.
Shapes: B clips, T frames, M mel bins, C channels, F = fft / 2 + 1, N = (T - 1) * hop samples.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ml_audio.models.spectrogram import Scale, mel_filters


@dataclass(frozen=True)
class VocoderConfig:
    scale: Scale
    """In which its spectrograms are normalised."""
    mel_bins: int = 80
    channels: int = 160
    hidden: int = 400
    layers: int = 4
    fft: int = 1024
    hop: int = 256
    model_type: str = "istft_vocoder"


class Block(nn.Module):
    """ConvNeXt (https://arxiv.org/abs/2201.03545): a depthwise convolution over 7 frames, then each frame alone."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.25))  # about 1 / layers, so that the sum stays in range

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)"""
        inner = self.norm(self.depthwise(x).transpose(1, 2))
        return x + (self.scale * self.narrow(F.gelu(self.widen(inner)))).transpose(1, 2)


class Vocoder(nn.Module):
    LOUDEST = 5.0
    """Logarithm of the largest magnitude: a full-scale tone fills a bin to fft / 4, e^5.5."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.read = nn.Conv1d(config.mel_bins, config.channels, 7, padding=3)
        self.first_norm = nn.LayerNorm(config.channels)
        self.blocks = nn.ModuleList(Block(config.channels, config.hidden) for _ in range(config.layers))
        self.last_norm = nn.LayerNorm(config.channels)
        self.write = nn.Linear(config.channels, config.fft + 2)
        self.register_buffer("window", torch.hann_window(config.fft), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, T, M) normalised log-mel -> (B, N) in about [-1, 1]"""
        x = self.read(mel.transpose(1, 2))  # (B, C, T)
        x = self.first_norm(x.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.write(self.last_norm(x.transpose(1, 2))).float().transpose(1, 2)  # (B, 2F, T)
        magnitude, phase = x.chunk(2, 1)
        spectrum = torch.polar(magnitude.clamp(max=self.LOUDEST).exp(), phase)  # (B, F, T)
        window = self.get_buffer("window")
        return torch.istft(spectrum, self.config.fft, self.config.hop, window=window, center=True)

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=1) + "\n")
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / "model.safetensors")

    @classmethod
    def from_pretrained(cls, folder: Path) -> "Vocoder":
        about = json.loads((folder / "config.json").read_text())
        model = cls(VocoderConfig(**{**about, "scale": Scale(**about["scale"])}))
        model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
        return model.eval()


@dataclass(frozen=True)
class GriffinLimConfig:
    scale: Scale
    iterations: int = 24
    momentum: float = 0.99
    fft: int = 1024
    hop: int = 256
    model_type: str = "griffin_lim"


class GriffinLim(nn.Module):
    """The phases that agree best with the magnitudes: forth to samples and back to a spectrum, again and again."""

    def __init__(self, config: GriffinLimConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("window", torch.hann_window(config.fft), persistent=False)
        # (M, F): the least squares of what the triangles summed up
        inverse = torch.linalg.pinv(mel_filters(len(config.scale.mel_mean), config.fft))
        self.register_buffer("inverse", inverse, persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, T, M) normalised log-mel -> (B, N)"""
        config, window = self.config, self.get_buffer("window")
        power = config.scale.undo(mel).exp() @ self.get_buffer("inverse")  # (B, T, F)
        magnitude = power.clamp(min=1e-5).transpose(1, 2)
        dice = torch.Generator().manual_seed(0)  # the same sound for the same spectrogram
        spectrum = torch.polar(magnitude, 2 * torch.pi * torch.rand(magnitude.shape, generator=dice))
        before = torch.zeros_like(spectrum)
        share = config.momentum / (1 + config.momentum)
        for _ in range(config.iterations):
            samples = torch.istft(spectrum, config.fft, config.hop, window=window, center=True)
            again = torch.stft(samples, config.fft, config.hop, window=window, center=True, return_complex=True)
            spectrum = torch.polar(magnitude, (again - share * before).angle())
            before = again
        return torch.istft(spectrum, config.fft, config.hop, window=window, center=True)

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=1) + "\n")


def load_vocoder(folder: Path) -> Vocoder | GriffinLim:
    """Of either kind, by its `model_type`."""
    about: dict[str, Any] = json.loads((folder / "config.json").read_text())
    if about["model_type"] == GriffinLimConfig.model_type:
        return GriffinLim(GriffinLimConfig(**{**about, "scale": Scale(**about["scale"])})).eval()
    return Vocoder.from_pretrained(folder)
