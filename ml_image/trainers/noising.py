"""How far a picture is noised in training, and what the network is to say then: by diffusion, or by rectified flow.

A schedule has S levels; level S - 1 is the noisiest. Shapes: B pictures, C channels, h x w latents.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ml_image.denoising import time_shift

GAMMA, FLOOR = 5.0, 0.3
MIDDLE = 0.6
"""Share of the levels that are drawn from the middle of the schedule, where what is where is decided."""


class Noising(Protocol):
    levels: int

    def draw(self, rows: int, device: torch.device) -> Tensor:
        """(rows,) levels to train on, int64."""
        ...

    def weights(self, levels: Tensor) -> Tensor:
        """(B,) what an error at each level counts."""
        ...

    def noised(self, latents: Tensor, noise: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(noised latents, what the network should say of them, its times): (B, C, h, w) twice and (B,)."""
        ...


def of(scheduler: Any) -> "Diffusion | Flow":
    return Flow(scheduler) if hasattr(scheduler, "scale_noise") else Diffusion(scheduler)


class Diffusion(nn.Module):
    """Velocity or noise as the scheduler has it; steps weighted by min-SNR (https://arxiv.org/abs/2303.09556), with a
    floor, since a schedule that ends in noise alone has steps of weight 0."""

    kept: Tensor
    """(S,) of the signal's variance, at each step of the schedule."""
    weight: Tensor

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        self.predicts = scheduler.config.prediction_type
        kept = scheduler.alphas_cumprod.float()
        self.levels = len(kept)
        snr = kept / (1 - kept).clamp(min=1e-8)
        weight = snr.clamp(max=GAMMA) / (snr + 1 if self.predicts == "v_prediction" else snr.clamp(min=1e-8))
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("weight", weight.clamp(min=FLOOR), persistent=False)

    def draw(self, rows: int, device: torch.device) -> Tensor:
        everywhere = torch.rand(rows, device=device)
        middle = torch.sigmoid(torch.randn(rows, device=device) * 1.3 + 0.3)
        share = torch.where(torch.rand(rows, device=device) < MIDDLE, middle, everywhere)
        return (share * self.levels).long().clamp(max=self.levels - 1)

    def weights(self, levels: Tensor) -> Tensor:
        return self.weight[levels]

    def noised(self, latents: Tensor, noise: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kept = self.kept[levels].view(-1, 1, 1, 1)
        signal, level = kept.sqrt(), (1 - kept).sqrt()
        wanted = noise if self.predicts == "epsilon" else signal * noise - level * latents
        return signal * latents + level * noise, wanted, levels


class Flow(nn.Module):
    """Rectified flow: on the straight line from picture to noise the network says where it leads. Levels are drawn from
    a logit-normal distribution (https://arxiv.org/abs/2403.03206, section 3.1) and shifted as they are in serving."""

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.levels = int(scheduler.config.num_train_timesteps)

    def draw(self, rows: int, device: torch.device) -> Tensor:
        return (torch.sigmoid(torch.randn(rows, device=device)) * self.levels).long().clamp(max=self.levels - 1)

    def weights(self, levels: Tensor) -> Tensor:
        return torch.ones_like(levels, dtype=torch.float32)

    def noised(self, latents: Tensor, noise: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        share = self._shifted((levels + 1) / self.levels, *latents.shape[-2:])
        noised = torch.lerp(latents, noise, share.view(-1, 1, 1, 1))
        return noised, noise - latents, share * self.levels

    def _shifted(self, share: Tensor, height: int, width: int) -> Tensor:
        """Of noise: larger pictures need more of it before they are unrecognisable (the same paper, section 5.3.2)."""
        if (shift := time_shift(self.scheduler, height, width)) is not None:
            return self.scheduler.time_shift(shift, 1.0, share)
        shift = self.scheduler.config.shift
        return shift * share / (1 + (shift - 1) * share)
