"""A sharper decoder for a model's latents: what turns them into pictures is trained on, and nothing else is touched, so
that U-Net, adapters and encoder fit as before.

An error per pixel alone makes soft edges where the latents do not say exactly where an edge is. Beside it stands a
critic that sees patches and learns to tell made from real ones (https://arxiv.org/abs/2012.09841): a hinge loss,
weighed so that at the picture it pulls in a fixed proportion to the error.
Shapes: B crops of H x W pixels.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ml_image import loading
from ml_image.models import autoencoder
from ml_image.models.diffusion import forget_origin
from ml_image.settings import ImageSettings
from ml_image.sources import Source
from ml_image.trainers.autoencoding import BLUR, Crops, Empty, error
from ml_image.trainers.bringing import PictureArgs, captions
from ml_image.trainers.parity import PICTURES, compared
from ml_image.trainers.pretrained import copy_folder, exact, open_run
from ml_image.trainers.previews import shower
from shared.training.folder import finish
from shared.training.loop import Run
from shared.training.processes import main_first

CRITIC = (48, 96, 128)
"""Channels, each at half the size."""


class Args(PictureArgs):
    QUICK: ClassVar[dict[str, Any]] = {**PictureArgs.QUICK}

    model: str = Field("starter", description="whose decoder: starter, a published or short name, a hub repo, a folder")
    crop: int = Field(64, ge=8, multiple_of=8, description="pixels a side of what a step looks at, at most")
    pull: float = Field(1.0, ge=0, description="how strongly the critic pulls at a picture, where the error has 1")
    average: float = Field(0.999, gt=0, lt=1, description="decay of the moving average that is published")
    epochs: float = Field(20, gt=0, description="passes over the data")
    batch_size: int = Field(16, gt=0, description="crops per step")
    learning_rate: float = Field(6e-4, gt=0, description="at its highest")
    warmup_steps: int = Field(100, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on matrices")
    beta2: float = Field(0.99, gt=0, lt=1, description="AdamW's second moment")


class DecodingLoss(nn.Module):
    """Takes `pixels` (B, 3, H, W) in [0, 1]; the sum over the crops. In evaluation it is the error per value alone."""

    def __init__(self, vae: Any, pull: float) -> None:
        super().__init__()
        self.vae, self.pull = vae, pull
        self.critic = build_critic()

    def forward(self, pixels: Tensor) -> Tensor:
        made = self.vae.decode(self._latents(pixels)).sample / 2 + 0.5
        off = error(made, pixels)
        if not self.training:
            return off * len(pixels)
        fixed = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        doubted = -functional_call(self.critic, fixed, made).mean()
        own, others = (torch.autograd.grad(part, made, retain_graph=True)[0].norm() for part in (off, doubted))
        judged = F.relu(1 - self.critic(pixels)).mean() + F.relu(1 + self.critic(made.detach())).mean()
        return (off + self.pull * own / others.clamp(min=1e-12) * doubted + judged) * len(pixels)

    @torch.no_grad()
    def _latents(self, pixels: Tensor) -> Tensor:
        latents = autoencoder.encode(self.vae, pixels)
        return latents + BLUR * latents.std((0, 2, 3), keepdim=True) * torch.randn_like(latents)


def build_critic() -> nn.Module:
    """(B, 3, H, W) in [0, 1] -> (B, 1, H / 8, W / 8): above 0 where it takes the patch for a real one."""
    layers: list[nn.Module] = []
    before = 3
    for channels in CRITIC:
        layers += [nn.Conv2d(before, channels, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = channels
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 3, 1, 1))


def main(args: Args, settings: ImageSettings) -> str:
    serving = exact(settings)
    with main_first():
        run = open_run(args.model, args, serving)
    pipe: Any = run.loaded.pipe
    found = run.found
    short = min(min(found.size(number)) for number in range(len(found)))
    crops = Crops(found, min(args.crop, short // 8 * 8))
    pipe.vae.requires_grad_(False).decoder.requires_grad_(True)
    torch.manual_seed(args.seed)
    loss = DecodingLoss(pipe.vae, args.pull).to(pipe.device)
    show = shower(pipe, captions(found, 16), found.size(0), run.loaded.defaults.guidance)
    nothing = Crops(Empty(), crops.side)
    state = Run(args, loss.train(), crops, nothing, run.folder, average=args.average, show=show).start()

    def save(target: Path) -> None:
        copy_folder(run.base.folder, target)
        pipe.vae.eval().to(torch.float16).save_pretrained(target / "vae")
        forget_origin(target / "vae")
        pipe.vae.float()

    def served(saved: Path) -> float:
        again = loading.load(Source("checked", saved, 0, None), serving).pipe
        return look(DecodingLoss(again.vae, args.pull), crops)

    card = {"service": "image", "trainer": "decoder", "dataset_sha256": run.sha256, "begun_from": run.base.name}
    check = compared(lambda: look(loss, crops), served, card)
    return finish(args, settings.data_dir, run.name, run.folder, state, save, card, check)


@torch.no_grad()
def look(loss: DecodingLoss, crops: Crops) -> float:
    """The mean error on the first pictures, always at the same place."""
    torch.manual_seed(0)
    pixels = crops.batch(np.arange(min(PICTURES, len(crops))))["pixels"]
    device = next(loss.parameters()).device
    return float(loss.eval()(pixels.to(device))) / len(pixels)
