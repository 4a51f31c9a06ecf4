"""A Stable Diffusion from random weights: tokenizer, autoencoder, then text encoder and U-Net together. With `init`
text encoder and U-Net go on from those of a folder, by its tokenizer and its autoencoder.

The geometry is Stable Diffusion's (https://arxiv.org/abs/2112.10752), 8 px per latent and 4 channels, and the classes
are the libraries' own, so that every stock pipeline and adapter opens the result.
"""

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from transformers import CLIPTokenizer

from ml_image import catalog, loading
from ml_image.data import latents, tokenizer
from ml_image.data.pictures import Pictures
from ml_image.families.unet import STABLE_DIFFUSION
from ml_image.models import diffusion
from ml_image.models.presets import PRESETS, Preset
from ml_image.settings import ImageSettings
from ml_image.sources import Source
from ml_image.trainers.autoencoding import load_or_train
from ml_image.trainers.bringing import PictureArgs, captions, pictures, split, work_folder
from ml_image.trainers.denoising import Asked, DenoisingLoss, TextEncoder
from ml_image.trainers.parity import parity
from ml_image.trainers.pretrained import copy_folder, encoder, exact, find_base, side
from ml_image.trainers.previews import shower
from shared.errors import InvalidRequest
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.memory import choose_device
from shared.training.processes import main_first

PresetName = Literal["tiny", "starter", "small", "medium", "large"]
WORDING = 20_000
"""Captions that the tokenizer learns from."""
GENERATION: dict[str, Any] = {"num_inference_steps": 20, "guidance_scale": 3.0, "guidance_rescale": 0.7}
"""How the model likes to be asked, until somebody measures better."""


class Args(PictureArgs):
    QUICK: ClassVar[dict[str, Any]] = {**PictureArgs.QUICK, "preset": "tiny", "autoencoder_steps": 200}

    init: Path | None = Field(None, description="go on from this model folder's networks and tokenizer, not at random")
    preset: PresetName = Field("small", description="sizes of the networks, and of the pictures they are trained on")
    autoencoder_steps: int = Field(2_000, gt=0, description="optimiser steps of the first part")
    left_out: float = Field(0.1, ge=0, lt=1, description="share of the prompts that are left out, for guidance")
    average: float = Field(0.999, gt=0, lt=1, description="decay of the moving average that is published")
    epochs: float = Field(20, gt=0, description="passes over the data")
    batch_size: int = Field(32, gt=0, description="pictures per forward pass")
    learning_rate: float = Field(1.2e-3, gt=0, description="at its highest")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on norms and biases")
    beta2: float = Field(0.99, gt=0, lt=1, description="AdamW's second moment")
    warmup_steps: int = Field(200, ge=0, description="steps until the learning rate is at its highest")
    save_dtype: Literal["float16", "float32"] = Field("float16", description="of the published weights")


def main(args: Args, settings: ImageSettings) -> str:
    preset = PRESETS[args.preset]
    serving = exact(settings)
    name = args.name or args.dataset[0].stem
    with main_first():
        folder = prepare_folder(args, settings.data_dir, name)
        base = find_begun(args.init, settings) if args.init else None
        begun = loading.load(base, serving) if base else None
        resolution = side(begun) if begun else preset.resolution
        found, sha256 = pictures(args, resolution, 8)
        begun_from = f"{args.init.resolve()}" if args.init else f"{args.preset} {args.autoencoder_steps} {args.seed}"
        work = work_folder(folder, f"{sha256} {begun_from}")
        words = begun.pipe.tokenizer if begun else load_or_train_tokenizer(preset, found, work / "tokenizer")
    pipe = begun.pipe if begun else build(args, preset, found, words, work).to(choose_device(serving))
    with main_first():
        rows = latents.prepare(
            found,
            encoder(pipe),
            lambda: tokenizer.encode_all(words, [found.captions(number) for number in range(len(found))]),
            work / "latents",
        )
    train, validation = split(rows, args)
    pipe.vae.requires_grad_(False)
    text_encoder, unet = pipe.text_encoder.train(), pipe.unet.train().to(memory_format=torch.channels_last)
    if args.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    loss = loss_of(pipe, args)
    guidance = begun.defaults.guidance if begun else GENERATION["guidance_scale"]
    show = shower(pipe, captions(found, 16), found.size(0), guidance)
    state = Run(args, loss, train, validation, folder, average=args.average, show=show).start()

    def save(target: Path) -> None:
        if base:  # what else is in its folder stays with it
            copy_folder(base.folder, target)
        diffusion.save_as(pipe, getattr(torch, args.save_dtype), target)
        defaults = target / loading.DEFAULTS
        if not defaults.is_file():
            defaults.write_text(json.dumps(GENERATION, indent=2) + "\n")

    parts = (pipe.vae, text_encoder, unet)
    count = sum(weight.numel() for part in parts for weight in part.parameters())
    card = {"service": "image", "trainer": "scratch", "dataset_sha256": sha256, "parameters": count}

    def again(saved: Path) -> DenoisingLoss:
        return loss_of(loading.load(Source("checked", saved, 0, None), serving).pipe, args)

    return finish(args, settings.data_dir, name, folder, state, save, card, parity(loss, train, again, card))


def loss_of(pipe: Any, args: Args) -> DenoisingLoss:
    return DenoisingLoss(TextEncoder(pipe.text_encoder), Asked(pipe), args.left_out).to(pipe.device)


def find_begun(folder: Path, settings: ImageSettings) -> Source:
    if not (folder / catalog.INDEX).is_file():
        raise InvalidRequest(f"{folder} is no model's folder: it has no {catalog.INDEX}", param="init")
    base = find_base(str(folder), settings)
    if catalog.get_family(folder) is not STABLE_DIFFUSION:
        raise InvalidRequest(f"{folder} is no Stable Diffusion, which is what is trained from scratch", param="init")
    return base


def build(args: Args, preset: Preset, found: Pictures, words: CLIPTokenizer, work: Path) -> Any:
    """A pipeline of random weights, but for the autoencoder, which is trained before them, by all processes."""
    vae = load_or_train(args, preset, found, args.autoencoder_steps, work)
    torch.manual_seed(args.seed)
    return diffusion.assemble(vae, diffusion.build_text_encoder(preset, words), words, diffusion.build_unet(preset))


def load_or_train_tokenizer(preset: Preset, found: Pictures, folder: Path) -> CLIPTokenizer:
    """From the run's folder if it is there, so that a resumed run has the same tokens."""
    if (folder / "tokenizer_config.json").is_file():
        return CLIPTokenizer.from_pretrained(folder)
    stride = 1 + len(found) // WORDING
    wording = (caption for number in range(0, len(found), stride) for caption in found.captions(number))
    return tokenizer.train(wording, preset.vocab_size, preset.prompt_tokens, folder)
