"""Pictures larger than a model makes: by Lanczos, and for a model of flat pictures with its edges drawn crisp again.

A shock filter (Osher and Rudin, https://doi.org/10.1137/0727053): on each side of an edge, pixels move towards the
nearer plateau, until the edge is a step; areas without an edge stay. Where the edge is follows from the second
derivative along the gradient of a smoothed picture (Alvarez and Mazorra, https://doi.org/10.1137/0731032).
Shapes: (1, 3, H, W) in [0, 1].
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ml_image import sizes

Enlarge = Callable[[Image.Image, int, int], Image.Image]
"""(picture, width, height) -> that size, scaled and cut to its shape."""
STEPS, RATE, SMOOTH = 10, 0.35, 0.75
"""Per enlargement by one: steps, how far each moves, and the deviation of the smoothing in pixels."""
MOST = 4.0
"""Larger than this many times, what was sharpened is scaled on."""
STEEP = 400.0
"""How soon a curvature counts as one."""


def choose(crisp: bool) -> Enlarge:
    return partial(enlarge, crisp=crisp)


def enlarge(picture: Image.Image, width: int, height: int, crisp: bool) -> Image.Image:
    factor = max(width / picture.width, height / picture.height)
    if crisp and factor > 1:
        share = min(1.0, MOST / factor)
        picture = sizes.fit(picture.convert("RGB"), max(1, round(width * share)), max(1, round(height * share)))
        picture = sharpened(picture, min(factor, MOST))
    return sizes.fit(picture, width, height)


@torch.inference_mode()
def sharpened(picture: Image.Image, factor: float) -> Image.Image:
    """RGB, that was enlarged by `factor`."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    for _ in range(round(STEPS * factor)):
        pixels = pixels - RATE * _side(pixels, SMOOTH * factor) * _slope(pixels)
    made = (pixels[0].clamp(0, 1) * 255).round().byte()
    return Image.fromarray(made.permute(1, 2, 0).numpy())


def _side(pixels: Tensor, deviation: float) -> Tensor:
    """(1, 1, H, W) in [-1, 1]: above 0 on the darker side of an edge, where the smoothed grey curves upwards."""
    grey = _smoothed(pixels.mean(1, keepdim=True), deviation)
    down, across = torch.gradient(grey, dim=(2, 3))
    down_down, down_across = torch.gradient(down, dim=(2, 3))
    (across_across,) = torch.gradient(across, dim=3)
    along = down_down * down**2 + 2 * down_across * down * across + across_across * across**2
    return torch.tanh(STEEP * along / (down**2 + across**2 + 1e-8))


def _smoothed(grey: Tensor, deviation: float) -> Tensor:
    reach = max(1, round(3 * deviation))
    at = torch.arange(-reach, reach + 1).float()
    kernel = torch.exp(-(at**2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    wide = F.pad(grey, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(wide, kernel), kernel.transpose(2, 3))


def _slope(pixels: Tensor) -> Tensor:
    """(1, 3, H, W): the smaller of the steps to both sides, 0 at the top of a plateau, so that none overshoots."""
    wide = F.pad(pixels, (1, 1, 1, 1), mode="replicate")
    middle = wide[..., 1:-1, 1:-1]
    down = _smaller(wide[..., 2:, 1:-1] - middle, middle - wide[..., :-2, 1:-1])
    across = _smaller(wide[..., 1:-1, 2:] - middle, middle - wide[..., 1:-1, :-2])
    return (down**2 + across**2).sqrt()


def _smaller(one: Tensor, other: Tensor) -> Tensor:
    return torch.where(one * other > 0, torch.minimum(one.abs(), other.abs()), 0.0)
