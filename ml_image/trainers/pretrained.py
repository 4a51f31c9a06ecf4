"""How training goes on from a model that is on disk: it is found and loaded, its latents made, the result named."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ml_image import loading
from ml_image.data import latents
from ml_image.data.pictures import Pictures
from ml_image.latents import scaled
from ml_image.loading import Loaded
from ml_image.models import autoencoder
from ml_image.settings import ImageSettings
from ml_image.sources import Source, Sources
from ml_image.trainers.bringing import PictureArgs, pictures
from shared.errors import InvalidRequest
from shared.training.folder import prepare_folder

CARD = "README.md"


def find_base(model: str, settings: ImageSettings) -> Source:
    """InvalidRequest for what is no pipeline of a known family, or an adapter."""
    source = Sources(settings).fetch(model)
    if source.base:
        raise InvalidRequest(f"{model} is itself an adapter; train on its base {source.base}", param="model")
    loading.look(source, settings)
    return source


@dataclass(frozen=True)
class Opened:
    """A run on top of a model, before its first step."""

    name: str
    """Of the result."""
    folder: Path
    base: Source
    loaded: Loaded
    found: Pictures
    sha256: str
    """Of what the pictures are made from."""


def open_run(model: str, args: PictureArgs, settings: ImageSettings, resolution: int | None = None) -> Opened:
    """`settings` are exact. Pictures have `resolution` pixels a side, by default the base's own."""
    base = find_base(model, settings)
    name = args.name or default_name(base.name, args.dataset[0])
    folder = prepare_folder(args, settings.data_dir, name)
    loaded = loading.load(base, settings)
    found, sha256 = pictures(args, resolution or side(loaded), loaded.family.multiple)
    return Opened(name, folder, base, loaded, found, sha256)


def exact(settings: ImageSettings, dtype: str = "float32") -> ImageSettings:
    """As trainers load and check a model: not quantised, and by default in float32."""
    return settings.model_copy(update={"quantize": None, "dtype": dtype})


def side(loaded: Loaded) -> int:
    """Pixels a side of the square that it makes by itself."""
    return min(loaded.defaults.width, loaded.defaults.height)


def default_name(base: str, dataset: Path) -> str:
    """ft:starter:house_style; what cannot stand in a name becomes a hyphen."""
    return "ft:" + ":".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in (base, dataset.stem))


def encoder(pipe: Any) -> latents.Encode:
    """The base's own autoencoder: the middle of what it says, scaled as its network takes it."""

    def encode(pictures: torch.Tensor) -> torch.Tensor:
        return scaled(pipe, autoencoder.encode(pipe.vae, pictures.to(pipe.device, pipe.vae.dtype)))

    return encode


def copy_folder(base: Path, target: Path) -> None:
    """A model's folder but for its card, which is of that model alone."""
    shutil.copytree(base, target, ignore=shutil.ignore_patterns(CARD))
