"""The first part of a model from scratch: pictures to latents and back. The U-Net sees nothing but these latents.

Shapes: B crops of H x W pixels, latents H / 8 x W / 8.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn

from ml_image.data.latents import to_tensor
from ml_image.data.pictures import Pictures
from ml_image.models import autoencoder
from ml_image.models.presets import Preset
from shared.training import checkpoints
from shared.training.loop import Run
from shared.training.processes import is_main
from shared.training.settings import TrainingArgs

LOOKED_AT = 512
"""Pictures that the components, and the latents' deviation, are computed from."""
BLUR = 0.1
"""Deviations of noise on the latents: the decoder will be given what a U-Net made."""
SQUARES, EDGES = 4.0, 0.5
"""Weights of the squared error, and of the error of neighbours' differences, beside the absolute error."""


class AutoencodingLoss(nn.Module):
    """Takes `pixels` (B, 3, H, W) in [0, 1]; the sum over the crops of the mean error per value."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor) -> Tensor:
        latents = self.vae.encode(pixels * 2 - 1).latents
        spread = latents.detach().std((0, 2, 3), keepdim=True)
        made = self.vae.decode(latents + BLUR * spread * torch.randn_like(latents)).sample / 2 + 0.5
        return error(made, pixels) * len(pixels)


def error(made: Tensor, pixels: Tensor) -> Tensor:
    """The mean per value, with that of the edges; both (B, 3, H, W) in [0, 1]."""
    off = made - pixels
    edges = off.diff(dim=-1).abs().mean() + off.diff(dim=-2).abs().mean()
    return off.abs().mean() + SQUARES * off.pow(2).mean() + EDGES * edges


@dataclass(frozen=True)
class Crops:
    """Squares of the pictures, each time somewhere else; where follows from torch's seed, which the loop sets."""

    pictures: Pictures
    side: int

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, index: np.ndarray) -> dict[str, Tensor]:
        return {"pixels": to_tensor(np.stack([self._crop(self.pictures.pixels(int(number))) for number in index]))}

    def _crop(self, pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        upper = int(torch.randint(height - self.side + 1, ()))
        left = int(torch.randint(width - self.side + 1, ()))
        return pixels[upper : upper + self.side, left : left + self.side]

    def loss_tokens(self, index: np.ndarray) -> int:
        return len(index)

    def tokens(self, index: np.ndarray) -> int:
        return len(index)


def load_or_train(args: TrainingArgs, preset: Preset, pictures: Pictures, steps: int, folder: Path) -> Any:
    """From `folder`, where an earlier attempt left it, whole or at a checkpoint; its latents have deviation 1."""
    done = folder / "vae"
    if done.is_dir():
        return AutoencoderTiny.from_pretrained(done).eval().requires_grad_(False)
    torch.manual_seed(args.seed)
    vae = autoencoder.build(preset.decoder_width, preset.decoder_blocks)
    side = min(64, preset.resolution // 2)
    some = [pictures.pixels(int(number)) for number in np.linspace(0, len(pictures) - 1, LOOKED_AT).astype(int)]
    looked_at = to_tensor(np.stack([Crops(pictures, side)._crop(pixels) for pixels in some]))
    kept = autoencoder.set_components(vae, looked_at)
    print(f"autoencoder: the encoder begins with {kept:.1%} of the variance", file=sys.stderr)
    own = args.model_copy(
        update={
            "max_steps": steps,
            "max_minutes": None,
            "learning_rate": 2e-3,
            "resume": bool(checkpoints.found(folder)),
            "attempt": None,
        }
    )
    nothing = Crops(Empty(), side)
    Run(own, AutoencodingLoss(vae.train()), Crops(pictures, side), nothing, folder).start()
    autoencoder.normalise(vae.eval(), looked_at.to(vae.device))
    if is_main():
        draft = folder / ".vae"
        vae.save_pretrained(draft)
        draft.rename(done)
    return vae.requires_grad_(False)


class Empty:
    """No pictures."""

    def __len__(self) -> int:
        return 0

    def size(self, number: int) -> tuple[int, int]:
        raise IndexError(number)

    def pixels(self, number: int) -> np.ndarray:
        raise IndexError(number)

    def captions(self, number: int) -> list[str]:
        raise IndexError(number)
