"""A pipeline in memory: its parts, its defaults, and the memory that they take, checked before they are read."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.quantizers.pipe_quant_config import PipelineQuantizationConfig
from safetensors import SafetensorError

from ml_image import catalog, enlarging
from ml_image.families.family import Family
from ml_image.quantizing import hold_in_4_bits
from ml_image.settings import ImageSettings
from shared.errors import InvalidRequest, NotReady
from shared.sources import Source, parameter_count
from shared.training import memory
from shared.training.memory import choose_device

BYTES = {torch.float32: 4.0, torch.bfloat16: 2.0, torch.float16: 2.0}
QUANTIZED_BYTES = {"nf4": 0.7, "int8": 1.2}
"""Per parameter, with the scales and what stays unquantised."""
DEFAULTS = "generation_config.json"
"""In a model's folder: how it likes to be asked, in diffusers' words (num_inference_steps, guidance_scale, …)."""
MAPS = 5
"""Feature maps of the second block's width and the picture's size that the decoder holds at once, as measured."""
NOT_LOADED = ("safety_checker", "feature_extractor", "image_encoder")
DISTILLED_STEPS = 4
"""FLUX.1 schnell follows no guidance: it was distilled to four steps."""

diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
logging.getLogger("diffusers").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Defaults:
    """Of requests that say nothing else."""

    steps: int
    guidance: float
    rescale: float = 0.0
    """How much of the contrast that guidance added is taken back; 0.7 for models trained down to no signal at all."""
    negative: str = ""
    width: int = 512
    height: int = 512
    largest: int = 0
    """The longest side that is made at once, in pixels; what is larger is scaled up from that. 0: any."""
    crisp: bool = False
    """Whether what is scaled up gets its edges drawn crisp again, as suits flat pictures."""


@dataclass(frozen=True)
class Facts:
    """What is known of a model without loading it."""

    family: str
    parameters: int
    dtype: torch.dtype
    size_bytes: int


@dataclass
class Loaded:
    source: Source
    facts: Facts
    family: Family
    pipe: Any
    defaults: Defaults
    enlarge: enlarging.Enlarge

    @property
    def factor(self) -> int:
        """Pixels per latent."""
        return self.pipe.vae_scale_factor


def look(source: Source, settings: ImageSettings) -> Facts:
    """Raises InvalidRequest for what is no pipeline of a known family."""
    index = catalog.read_index(source.folder)
    kind = index["_class_name"]
    family = catalog.FAMILIES[kind]
    dtype = choose_dtype(settings, family)
    size_bytes = parameters = 0.0
    for name in catalog.components(index):
        folder = source.folder / name
        if name in NOT_LOADED or not folder.is_dir():
            continue
        count = parameter_count(folder)
        small = settings.quantize is not None and name in family.quantized
        parameters += count
        size_bytes += count * (QUANTIZED_BYTES[str(settings.quantize)] if small else BYTES[dtype])
    if not parameters:
        raise InvalidRequest(f"{source.name} has no weights in safetensors", param="model")
    return Facts(kind, int(parameters), dtype, int(size_bytes))


def load(source: Source, settings: ImageSettings) -> Loaded:
    """Raises InvalidRequest when its files are broken or incomplete, OutOfMemory when it does not fit."""
    facts = look(source, settings)
    family = catalog.FAMILIES[facts.family]
    device = choose_device(settings)
    afterwards = settings.quantize is not None and device.type == "cpu"
    if afterwards and settings.quantize != "nf4":
        raise InvalidRequest(f"{settings.quantize} needs a GPU: use nf4 or leave quantize unset", param="quantize")
    as_loaded = settings.model_copy(update={"quantize": None}) if afterwards else settings
    needed = look(source, as_loaded) if afterwards else facts
    memory.require(needed.size_bytes, device, source.name)
    pipe = _load_pipe(source, as_loaded, facts)
    if afterwards:
        for name in family.quantized:
            hold_in_4_bits(getattr(pipe, name))
    _place(pipe, settings, device)
    pipe.set_progress_bar_config(disable=True)
    if settings.tile:
        pipe.vae.enable_tiling()
    if pipe.vae.dtype == torch.float16 and getattr(pipe.vae.config, "force_upcast", False):
        pipe.vae.to(torch.float32)  # it overflows in half precision
    defaults = read_defaults(source.folder, family, pipe)
    return Loaded(source, facts, family, pipe, defaults, enlarging.choose(defaults.crisp))


def _load_pipe(source: Source, settings: ImageSettings, facts: Facts) -> Any:
    index = catalog.read_index(source.folder)
    extra: dict[str, Any] = {name: None for name in NOT_LOADED if name in index}
    if settings.quantize:
        extra["quantization_config"] = _quantization(settings.quantize, facts)
    if "requires_safety_checker" in index:
        extra["requires_safety_checker"] = False
    try:
        return getattr(diffusers, facts.family).from_pretrained(
            source.folder,
            dtype=facts.dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **extra,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidRequest(f"the files of {source.name} cannot be read: {lines[0]}", param="model") from error


def _quantization(quantize: str, facts: Facts) -> Any:
    family = catalog.FAMILIES[facts.family]
    if quantize == "int8":
        kind, words = "bitsandbytes_8bit", dict[str, Any](load_in_8bit=True)
    else:
        kind = "bitsandbytes_4bit"
        words = dict[str, Any](load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=facts.dtype)
    return PipelineQuantizationConfig(
        quant_backend=kind, quant_kwargs=words, components_to_quantize=list(family.quantized)
    )


def _place(pipe: Any, settings: ImageSettings, device: torch.device) -> None:
    if settings.offload == "none":
        pipe.to(device)
        return
    if device.type == "cpu":
        raise NotReady("ML_IMAGE_OFFLOAD moves parts to a GPU, and there is none: leave it at none")
    move = pipe.enable_model_cpu_offload if settings.offload == "model" else pipe.enable_sequential_cpu_offload
    move(device=device)


def read_defaults(folder: Path, family: Family, pipe: Any) -> Defaults:
    """The family's, then the model's own. InvalidRequest when its file cannot be read."""
    network = getattr(pipe, family.network)
    size = network.config.get("sample_size") or 64
    height, width = size if isinstance(size, list | tuple) else (size, size)
    steps = DISTILLED_STEPS if network.config.get("guidance_embeds") is False else family.steps
    path = folder / DEFAULTS
    try:
        own: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        return Defaults(
            steps=int(own.get("num_inference_steps", steps)),
            guidance=float(own.get("guidance_scale", family.guidance)),
            rescale=float(own.get("guidance_rescale", 0.0)),
            negative=str(own.get("negative_prompt", "")),
            width=int(own.get("width", width * pipe.vae_scale_factor)),
            height=int(own.get("height", height * pipe.vae_scale_factor)),
            largest=int(own.get("largest", 0)),
            crisp=bool(own.get("crisp", False)),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{DEFAULTS} in {folder.name} cannot be read: {error}", param="model") from error


def working_bytes(loaded: Loaded, width: int, height: int) -> int:
    """What making one picture of that size takes at its highest: the last layers of the VAE's decoder."""
    vae = loaded.pipe.vae
    if getattr(vae, "use_tiling", False):
        tile = getattr(vae, "tile_sample_min_size", 512)
        width, height = min(width, tile), min(height, tile)
    channels = getattr(vae.config, "block_out_channels", None) or vae.config.decoder_block_out_channels
    return int(width * height * channels[min(1, len(channels) - 1)] * BYTES.get(vae.dtype, 4.0) * MAPS)


def choose_dtype(settings: ImageSettings, family: Family) -> torch.dtype:
    """`settings.dtype`; else float32 on the CPU, and on a GPU what the family was trained in."""
    if settings.dtype != "auto":
        return getattr(torch, settings.dtype)
    if choose_device(settings).type == "cpu":
        return torch.float32
    return torch.float16 if family.network == "unet" else torch.bfloat16
