"""A LoRA adapter on what denoises in a pipeline of any family: a style, an object or a subject from few pictures.

What the text encoders say of the captions is kept on disk: they do not learn. With the base in 4 bits it is QLoRA
(https://arxiv.org/abs/2305.14314). Pictures of one subject and `instance_prompt` are DreamBooth's setting
(https://arxiv.org/abs/2208.12242), without its second set of pictures.
"""

import shutil
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from peft import LoraConfig, get_peft_model_state_dict
from pydantic import Field
from torch import nn

from ml_image import loading
from ml_image.adapters import WEIGHTS, Adapters
from ml_image.data import conditions, latents
from ml_image.families.family import Family
from ml_image.settings import ImageSettings
from ml_image.sources import Source
from ml_image.trainers.bringing import WORK, PictureArgs, captions, split, work_folder
from ml_image.trainers.denoising import Asked, DenoisingLoss
from ml_image.trainers.parity import parity
from ml_image.trainers.pretrained import encoder, exact, open_run
from ml_image.trainers.previews import shower
from shared.errors import InvalidRequest
from shared.training.folder import finish
from shared.training.loop import Run, precision
from shared.training.processes import is_main, main_first

CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut")
SMALL = 100_000_000
"""Weights below which convolutions are adapted, too: a small U-Net has little attention to hold a style in."""


class Args(PictureArgs):
    QUICK: ClassVar[dict[str, Any]] = {**PictureArgs.QUICK}

    model: str = Field("starter", description="the base: starter, a published or short name, a hub repo, a folder")
    resolution: int | None = Field(None, ge=32, description="pixels a side of the square; default: the base's own")
    rank: int = Field(16, gt=0, description="of the adapter's matrices")
    alpha: int | None = Field(None, gt=0, description="the adapter's output is scaled by alpha / rank; default: rank")
    target_modules: list[str] | None = Field(None, description="layers of the network to adapt, such as to_q,to_v")
    quantize: Literal["nf4"] | None = Field(None, description="hold the base in 4 bits (QLoRA)")
    left_out: float = Field(0.1, ge=0, lt=1, description="share of the prompts that are left out, for guidance")
    scenes: int = Field(256, gt=0, description="how many are drawn where the dataset is `scenes`")

    epochs: float = Field(100, gt=0, description="passes over the data")
    batch_size: int = Field(4, gt=0, description="pictures per forward pass")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(10, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on the adapter's matrices")
    validation_fraction: float = Field(0.0, ge=0, lt=1, description="pictures held out to choose the best checkpoint")


def main(args: Args, settings: ImageSettings) -> str:
    coarse = precision(args) == "bf16"
    serving = exact(settings, "bfloat16" if coarse else "float32")
    with main_first():
        run = open_run(args.model, args, serving.model_copy(update={"quantize": args.quantize}), args.resolution)
        pipe, family = run.loaded.pipe, run.loaded.family
        if is_main() and not args.resume:  # the base may have changed where it lies
            shutil.rmtree(run.folder / WORK, ignore_errors=True)
        made_of = f"{run.sha256} {run.base.key} {args.resolution} {serving.dtype} {args.quantize}"
        place = work_folder(run.folder, made_of)
        rows = latents.prepare(run.found, encoder(pipe), lambda: conditions.prepare(run.found, pipe, place), place)
    train, validation = split(rows, args)
    attach(pipe, family, run.base.name, args)

    def loss_of(some: Any) -> DenoisingLoss:
        return DenoisingLoss(
            conditions.Said(place), Asked(some, run.loaded.facts.dtype), args.left_out if family.negative else 0.0
        )

    loss = loss_of(pipe).to(pipe.device)
    show = shower(pipe, captions(run.found, 16), run.found.size(0), run.loaded.defaults.guidance)
    state = Run(args, loss.train(), train, validation, run.folder, show=show).start()
    card = {
        "service": "image",
        "trainer": "lora",
        "dataset_sha256": run.sha256,
        "base": run.base.version or run.base.name,
    }

    def again(saved: Path) -> DenoisingLoss:
        served = loading.load(run.base, serving).pipe
        Adapters(served, 1).use(Source("checked", saved, 0, run.base.name))
        return loss_of(served).to(served.device)

    def save(target: Path) -> None:
        save_adapter(pipe, family, target)

    check = parity(loss, train, again, card, coarse=coarse or args.quantize is not None)
    made = finish(args, settings.data_dir, run.name, run.folder, state, save, card, check)
    if is_main():
        shutil.rmtree(run.folder / WORK)  # megabytes for each picture and caption, of no more use
    return made


def attach(pipe: Any, family: Family, base: str, args: Args) -> None:
    """Everything frozen, and fp32 adapters on the network; InvalidRequest if a target is no layer of it."""
    network = getattr(pipe, family.network)
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)
    count = sum(weight.numel() for weight in network.parameters())
    targets = args.target_modules or [*family.adapted, *(CONVOLUTIONS if count < SMALL else ())]
    names = [name for name, _ in network.named_modules()]
    for target in args.target_modules or []:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise InvalidRequest(
                f"{base} has no layer {target!r}, so the adapter would not touch it; there is"
                f" {', '.join(family.adapted)}",
                param="target_modules",
            )
    torch.manual_seed(args.seed)
    config = LoraConfig(
        r=args.rank, lora_alpha=args.alpha or args.rank, target_modules=targets, init_lora_weights="gaussian"
    )
    try:
        network.add_adapter(config)
    except ValueError as error:  # the layer exists, but is none that LoRA can be put on
        raise InvalidRequest(f"{base}: {str(error).splitlines()[0]}", param="target_modules") from error
    for weight in network.parameters():
        if weight.requires_grad:  # the base may be in half precision, too coarse for steps so small
            weight.data = weight.data.float()
    if args.gradient_checkpointing:
        network.enable_gradient_checkpointing()


def save_adapter(pipe: Any, family: Family, folder: Path) -> None:
    """In diffusers' format, which `load_lora_weights` opens; the scale is in the file's header."""
    network = getattr(pipe, family.network)
    parts: dict[str, Any] = {
        f"{family.network}_lora_layers": get_peft_model_state_dict(network),
        f"{family.network}_lora_adapter_metadata": network.peft_config["default"].to_dict(),
    }
    pipe.save_lora_weights(folder, weight_name=WEIGHTS, safe_serialization=True, **parts)
