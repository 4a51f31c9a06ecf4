"""What a diffusion model learns: to say, of a picture in noise, where the noise is; with prompts left out now and then,
for guidance (https://arxiv.org/abs/2207.12598).

Shapes: B pictures, C channels, h x w latents, K captions of T numbers and one more, told where nothing is asked.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ml_image import catalog
from ml_image.families.family import Conditions
from ml_image.trainers import noising


class DenoisingLoss(nn.Module):
    """Takes pairs `latents_HxW` (B, C, h, w) and `ids_HxW` (B, K + 1, T); the sum over the pictures.

    `read` makes conditions of (B, T) ids, `asked` is the network as the service asks it.
    """

    def __init__(self, read: nn.Module, asked: "Asked", left_out: float) -> None:
        super().__init__()
        self.read, self.asked = read, asked
        self.left_out = left_out
        self.noising = noising.of(asked.pipe.scheduler)

    def forward(self, **batch: Tensor) -> Tensor:
        names = [name.removeprefix("latents_") for name in batch if name.startswith("latents_")]
        return torch.stack([self._shape(batch[f"latents_{name}"], batch[f"ids_{name}"]) for name in names]).sum()

    def _shape(self, latents: Tensor, ids: Tensor) -> Tensor:
        levels = self.noising.draw(len(latents), latents.device)
        noise = torch.randn_like(latents)
        return (self.errors(latents, self._words(ids), levels, noise) * self.noising.weights(levels)).sum()

    def errors(self, latents: Tensor, ids: Tensor, levels: Tensor, noise: Tensor) -> Tensor:
        """(B,) the mean squared error of each; ids are (B, T)."""
        noised, wanted, times = self.noising.noised(latents, noise, levels)
        said = self.asked(noised, times, self.read(ids))
        return (said.float() - wanted).pow(2).mean((1, 2, 3))

    def _words(self, ids: Tensor) -> Tensor:
        rows, captions, _ = ids.shape
        chosen = ids[torch.arange(rows), torch.randint(captions - 1, (rows,))]
        return torch.where(torch.rand(rows, 1, device=ids.device) < self.left_out, ids[:, -1], chosen)


class Asked(nn.Module):
    """A pipeline's network, asked as the service asks it: where its weights are in half precision, so is all."""

    def __init__(self, pipe: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.pipe, self.family, self.dtype = pipe, catalog.family_of(pipe), dtype
        self.network = getattr(pipe, self.family.network)

    def forward(self, latents: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        if self.dtype == torch.float32:  # weights that learn, perhaps under autocast
            return self.family.predict(self.pipe, latents, times, conditions)
        same = {name: value.to(self.dtype) for name, value in conditions.items()}
        with torch.autocast(latents.device.type, enabled=False):
            return self.family.predict(self.pipe, latents.to(self.dtype), times, same)


class TextEncoder(nn.Module):
    """Stable Diffusion's, to be trained with its U-Net."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor) -> Conditions:
        return {"states": self.encoder(ids)[0]}
