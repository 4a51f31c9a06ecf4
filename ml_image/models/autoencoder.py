"""A stock AutoencoderTiny that compresses before it is trained: its encoder is set to the principal components.

Its first three convolutions are made to take pictures apart into 4x4 patches, exactly, and the fourth projects 8x8
patches (192 values) on the components that vary most, so that four latents keep 95 % of the variance of flat
pictures (LOG.md). Residual blocks start as nothing: training goes on from there instead of from noise.
Shapes: pictures (N, 3, H, W) in [0, 1], latents (N, 4, H / 8, W / 8).
"""

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS, WIDTH, PATCH = 4, 64, 8
ONES = 48
"""The channel that is 1 everywhere: convolutions with a stride have no bias in this class."""
AWAY_FROM_ZERO = 4.0
"""Deviations that are added, and subtracted at the end: the blocks in between pass on what is positive."""


def build(decoder_width: int, decoder_blocks: tuple[int, ...], blocks: int = 2) -> Any:
    """Random weights but for the taking apart. `blocks`: residual ones of the encoder, at the latents' size."""
    vae: Any = AutoencoderTiny(
        encoder_block_out_channels=(WIDTH,) * 4,
        decoder_block_out_channels=(decoder_width,) * 4,
        num_encoder_blocks=(0, 0, 0, blocks),  # pyright: ignore[reportArgumentType]
        num_decoder_blocks=decoder_blocks,  # pyright: ignore[reportArgumentType]
        latent_channels=CHANNELS,
        scaling_factor=1.0,
    )
    with torch.no_grad():
        _take_apart(encoder_layers(vae))
        for block in list(encoder_layers(vae))[4:-1]:
            nn.init.zeros_(block.conv[-1].weight)
            nn.init.zeros_(block.conv[-1].bias)
    return vae


def encoder_layers(vae: Any) -> Any:
    return vae.encoder.layers


def _take_apart(layers: Any) -> None:
    first, second, third = layers[0], layers[1], layers[2]
    for conv in (first, second, third):
        conv.weight.zero_()
    first.bias.zero_()
    for color in range(3):
        first.weight[color, color, 1, 1] = 1
    first.bias[3] = 1
    for conv, channels in ((second, 3), (third, 12)):
        for channel in range(channels):
            for down in (0, 1):
                for across in (0, 1):
                    conv.weight[channel * 4 + down * 2 + across, channel, 1 + down, 1 + across] = 1
        conv.weight[channels * 4, channels, 1, 1] = 1
    first.requires_grad_(False)
    second.requires_grad_(False)
    third.requires_grad_(False)


def place_of(color: int, row: int, column: int) -> int:
    """The channel, of 48, in which a pixel of a 4x4 patch lies after it was halved twice."""
    return (color * 4 + row % 2 * 2 + column % 2) * 4 + row // 2 * 2 + column // 2


@torch.no_grad()
def set_components(vae: Any, pictures: Tensor) -> float:
    """Set the encoder to the principal components of their 8x8 patches; the share of the variance that is kept."""
    patches = F.pixel_unshuffle(pictures, PATCH).permute(0, 2, 3, 1).reshape(-1, 3 * PATCH**2).double()
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    values, vectors = values.flip(0).clamp(min=1e-6), vectors.flip(1)
    # white where it becomes a latent; what is only there for the blocks to look at is smaller
    scale = torch.where(torch.arange(WIDTH) < CHANNELS, 1.0, 0.5).double()
    project = vectors[:, :WIDTH] / values[:WIDTH].sqrt() * scale
    layers = encoder_layers(vae)
    weight = torch.zeros_like(layers[3].weight)
    for color in range(3):
        for row in range(PATCH):
            for column in range(PATCH):
                place = place_of(color, row % 4, column % 4)
                weight[:, place, 1 + row // 4, 1 + column // 4] = project[color * 64 + row * 8 + column].to(weight)
    weight[:, ONES, 1, 1] = (AWAY_FROM_ZERO - mean @ project).to(weight)
    layers[3].weight.copy_(weight)
    layers[-1].weight.mul_(0.02)
    for channel in range(CHANNELS):
        layers[-1].weight[channel, channel, 1, 1] = 1
    layers[-1].bias.fill_(-AWAY_FROM_ZERO)
    return float(values[:CHANNELS].sum() / values.sum())


@torch.no_grad()
def encode(vae: Any, pictures: Tensor) -> Tensor:
    """As the autoencoder says them, not yet scaled; of a distribution the middle."""
    said = vae.encode(pictures * 2 - 1)
    return said.latent_dist.mode() if hasattr(said, "latent_dist") else said.latents


@torch.no_grad()
def normalise(vae: Any, pictures: Tensor) -> None:
    """Latents of these pictures have mean 0 and deviation 1 per channel from now on; the decoder is told so, too."""
    latents = encode(vae, pictures)
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3)).clamp(min=1e-6)
    last, first = encoder_layers(vae)[-1], vae.decoder.layers[0]
    last.weight.div_(deviation[:, None, None, None])
    last.bias.sub_(mean).div_(deviation)
    first.bias.add_((first.weight.sum((2, 3)) * mean).sum(1))
    first.weight.mul_(deviation[None, :, None, None])
