"""Pictures to latents and back, through a pipeline's VAE."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor


def encode(pipe: Any, picture: Image.Image, generator: torch.Generator) -> Tensor:
    """An RGB picture, its sides multiples of the VAE's factor, to latents (1, C, h, w) as the network sees them."""
    vae = pipe.vae
    pixels = pipe.image_processor.preprocess(picture).to(device=pipe._execution_device, dtype=vae.dtype)
    posterior = vae.encode(pixels)
    latents = posterior.latent_dist.sample(generator) if hasattr(posterior, "latent_dist") else posterior.latents
    return scaled(pipe, latents)


def scaled(pipe: Any, latents: Tensor) -> Tensor:
    """(N, C, h, w) as the VAE says them, as the network sees them."""
    mean, scale = _moments(pipe, latents)
    return (latents - mean) * scale


def decode(pipe: Any, latents: Tensor) -> Tensor:
    """(N, C, h, w) to pixels (N, 3, H, W) in [-1, 1]."""
    latents = latents.to(pipe.vae.dtype)
    mean, scale = _moments(pipe, latents)
    return pipe.vae.decode(latents / scale + mean, return_dict=False)[0]


def _moments(pipe: Any, like: Tensor) -> tuple[Any, Any]:
    """What the latents were shifted and scaled by while the network was trained."""
    config = pipe.vae.config
    mean, deviation = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and deviation is not None:
        means = torch.tensor(mean, device=like.device, dtype=like.dtype).view(1, -1, 1, 1)
        deviations = torch.tensor(deviation, device=like.device, dtype=like.dtype).view(1, -1, 1, 1)
        return means, config.scaling_factor / deviations
    return getattr(config, "shift_factor", None) or 0.0, config.scaling_factor
