"""Sizes that a model from scratch begins with. All have Stable Diffusion's geometry: 8 px per latent, 4 channels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    resolution: int
    """Pixels a side that it is trained on."""
    decoder_width: int
    decoder_blocks: tuple[int, ...]
    """Residual blocks at 1/8, 1/4, 1/2 and the whole size."""
    text_width: int
    text_layers: int
    text_heads: int
    vocab_size: int
    prompt_tokens: int
    channels: tuple[int, ...]
    """Of the U-Net, from the latents' size down, halved each time."""
    heads: tuple[int, ...]
    layers: int
    """Residual blocks per level on the way down; one more on the way up."""
    attention: tuple[bool, ...]
    """Which levels read the prompt."""
    groups: int
    """Of the group norms."""


PRESETS: dict[str, Preset] = {
    "tiny": Preset(32, 8, (1, 0, 0, 0), 32, 1, 2, 600, 16, (16, 32), (2, 2), 1, (False, True), 4),
    "starter": Preset(128, 32, (4, 2, 1, 0), 128, 3, 4, 1400, 32, (48, 96, 128), (2, 3, 3), 1, (False, True, True), 16),
    "small": Preset(128, 48, (4, 2, 1, 1), 256, 4, 4, 4_000, 64, (64, 128, 256), (2, 4, 8), 1, (False, True, True), 16),
    "medium": Preset(
        256,
        64,
        (4, 3, 2, 1),
        512,
        8,
        8,
        16_000,
        77,
        (128, 256, 384, 512),
        (4, 8, 6, 8),
        2,
        (False, True, True, True),
        32,
    ),
    "large": Preset(
        512,
        64,
        (6, 4, 3, 2),
        768,
        12,
        12,
        32_000,
        77,
        (320, 640, 1280, 1280),
        (8, 8, 8, 8),
        2,
        (True,) * 3 + (False,),
        32,
    ),
}
"""About 0.6, 6.6, 22, 173 and 970 million weights."""
