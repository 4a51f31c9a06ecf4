"""What a diffusion model learns: to say, of a picture in noise, where the noise is.

Velocity or noise as the scheduler has it; steps weighted by min-SNR (https://arxiv.org/abs/2303.09556), with a floor,
since a schedule that ends in noise alone has steps of weight 0; prompts left out now and then, for guidance
(https://arxiv.org/abs/2207.12598).
Shapes: B pictures, C channels, h x w latents, K captions of T tokens.
"""

from typing import Any

import torch
from torch import Tensor, nn

GAMMA, FLOOR = 5.0, 0.3
MIDDLE = 0.6
"""Share of the steps that are drawn from the middle of the schedule, where what is where is decided."""


class DenoisingLoss(nn.Module):
    """Takes pairs `latents_HxW` (B, C, h, w) and `ids_HxW` (B, K, T); the sum over the pictures."""

    kept: Tensor
    """(S,) of the signal's variance, at each step of the schedule."""
    weight: Tensor
    empty: Tensor

    def __init__(self, unet: Any, text_encoder: Any, scheduler: Any, empty_ids: list[int], left_out: float) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        self.left_out = left_out
        self.predicts = scheduler.config.prediction_type
        kept = scheduler.alphas_cumprod.float()
        snr = kept / (1 - kept).clamp(min=1e-8)
        weight = snr.clamp(max=GAMMA) / (snr + 1 if self.predicts == "v_prediction" else snr.clamp(min=1e-8))
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("weight", weight.clamp(min=FLOOR), persistent=False)
        self.register_buffer("empty", torch.tensor(empty_ids), persistent=False)

    def forward(self, **batch: Tensor) -> Tensor:
        names = [name.removeprefix("latents_") for name in batch if name.startswith("latents_")]
        return torch.stack([self._shape(batch[f"latents_{name}"], batch[f"ids_{name}"]) for name in names]).sum()

    def _shape(self, latents: Tensor, ids: Tensor) -> Tensor:
        steps = self._steps(len(latents), latents.device)
        noise = torch.randn_like(latents)
        return (self.errors(latents, self._words(ids), steps, noise) * self.weight[steps]).sum()

    def errors(self, latents: Tensor, ids: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """(B,) the mean squared error of each; ids are (B, T)."""
        kept = self.kept[steps].view(-1, 1, 1, 1)
        signal, level = kept.sqrt(), (1 - kept).sqrt()
        wanted = noise if self.predicts == "epsilon" else signal * noise - level * latents
        states = self.text_encoder(ids)[0]
        said = self.unet(signal * latents + level * noise, steps, encoder_hidden_states=states).sample
        return (said.float() - wanted).pow(2).mean((1, 2, 3))

    def _words(self, ids: Tensor) -> Tensor:
        rows, captions, _ = ids.shape
        chosen = ids[torch.arange(rows), torch.randint(captions, (rows,))]
        return torch.where(torch.rand(rows, 1, device=ids.device) < self.left_out, self.empty, chosen)

    def _steps(self, rows: int, device: torch.device) -> Tensor:
        everywhere = torch.rand(rows, device=device)
        middle = torch.sigmoid(torch.randn(rows, device=device) * 1.3 + 0.3)
        share = torch.where(torch.rand(rows, device=device) < MIDDLE, middle, everywhere)
        return (share * len(self.kept)).long().clamp(max=len(self.kept) - 1)
