"""A LoRA adapter on the U-Net of a Stable Diffusion that is on disk: a style, an object or a subject from few pictures.

With the base in 4 bits it is QLoRA (https://arxiv.org/abs/2305.14314). Pictures of one subject and `instance_prompt`
are DreamBooth's setting (https://arxiv.org/abs/2208.12242), without its second set of pictures.
"""

import shutil
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from peft import LoraConfig, get_peft_model_state_dict
from pydantic import Field

from ml_image.adapters import WEIGHTS
from ml_image.data import latents, tokenizer
from ml_image.quantizing import hold_in_4_bits
from ml_image.settings import ImageSettings
from ml_image.trainers.bringing import PictureArgs, captions, split
from ml_image.trainers.denoising import DenoisingLoss
from ml_image.trainers.parity import parity
from ml_image.trainers.pretrained import encoder, exact, open_run
from ml_image.trainers.previews import shower
from shared.errors import InvalidRequest
from shared.training.folder import finish
from shared.training.loop import Run
from shared.training.processes import main_first

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut"]
SMALL = 100_000_000
"""Weights below which convolutions are adapted, too: a small U-Net has little attention to hold a style in."""


class Args(PictureArgs):
    QUICK: ClassVar[dict[str, Any]] = {**PictureArgs.QUICK}

    model: str = Field("starter", description="the base: starter, a published or short name, a hub repo, a folder")
    resolution: int | None = Field(None, ge=32, description="pixels a side of the square; default: the base's own")
    rank: int = Field(16, gt=0, description="of the adapter's matrices")
    alpha: int | None = Field(None, gt=0, description="the adapter's output is scaled by alpha / rank; default: rank")
    target_modules: list[str] | None = Field(None, description="layers of the U-Net to adapt, such as to_q,to_v")
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
    serving = exact(settings)
    with main_first():
        run = open_run(args.model, args, serving, args.resolution)
        pipe: Any = run.loaded.pipe
        place = run.folder / "latents"
        shutil.rmtree(place, ignore_errors=True)
        words = pipe.tokenizer
        rows = latents.prepare(run.found, encoder(pipe), lambda some: tokenizer.encode(words, some), place)
    train, validation = split(rows, args)
    if args.quantize:
        hold_in_4_bits(pipe.unet)
    attach(pipe, run.base.name, args)
    loss = DenoisingLoss(
        pipe.unet, pipe.text_encoder, pipe.scheduler, tokenizer.encode(words, [""])[0], args.left_out
    ).to(pipe.device)
    show = shower(pipe, captions(run.found, 16), run.found.size(0), run.loaded.defaults.guidance)
    state = Run(args, loss.train(), train, validation, run.folder, show=show).start()
    card = {
        "service": "image",
        "trainer": "lora",
        "dataset_sha256": run.sha256,
        "base": run.base.version or run.base.name,
    }
    check = parity(loss, train, serving, card, run.base, coarse=args.quantize is not None)

    def save(target: Path) -> None:
        save_adapter(pipe, target)

    return finish(args, settings.data_dir, run.name, run.folder, state, save, card, check)


def attach(pipe: Any, base: str, args: Args) -> None:
    """Everything frozen, and fp32 adapters on the U-Net; InvalidRequest if a target is no layer of it."""
    for part in (pipe.vae, pipe.text_encoder, pipe.unet):
        part.requires_grad_(False)
    count = sum(weight.numel() for weight in pipe.unet.parameters())
    targets = args.target_modules or ATTENTION + (CONVOLUTIONS if count < SMALL else [])
    names = [name for name, _ in pipe.unet.named_modules()]
    for target in args.target_modules or []:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise InvalidRequest(
                f"{base} has no layer {target!r}, so the adapter would not touch it; there is"
                f" {', '.join(ATTENTION + CONVOLUTIONS)}",
                param="target_modules",
            )
    torch.manual_seed(args.seed)
    config = LoraConfig(
        r=args.rank, lora_alpha=args.alpha or args.rank, target_modules=targets, init_lora_weights="gaussian"
    )
    try:
        pipe.unet.add_adapter(config)
    except ValueError as error:  # the layer exists, but is none that LoRA can be put on
        raise InvalidRequest(f"{base}: {str(error).splitlines()[0]}", param="target_modules") from error
    if args.gradient_checkpointing:
        pipe.unet.enable_gradient_checkpointing()


def save_adapter(pipe: Any, folder: Path) -> None:
    """In diffusers' format, which `load_lora_weights` opens; the scale is in the file's header."""
    pipe.save_lora_weights(
        folder,
        unet_lora_layers=get_peft_model_state_dict(pipe.unet),
        weight_name=WEIGHTS,
        safe_serialization=True,
        unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict(),
    )
