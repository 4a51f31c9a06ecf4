"""Text encoder, U-Net and noise schedule of a Stable Diffusion from random weights; classes are the libraries' own."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ml_image.models.presets import Preset


def build_unet(preset: Preset) -> UNet2DConditionModel:
    down = ["CrossAttnDownBlock2D" if reads else "DownBlock2D" for reads in preset.attention]
    up = ["CrossAttnUpBlock2D" if reads else "UpBlock2D" for reads in reversed(preset.attention)]
    return UNet2DConditionModel(
        sample_size=preset.resolution // 8,
        in_channels=4,
        out_channels=4,
        down_block_types=tuple(down),  # pyright: ignore[reportArgumentType]
        up_block_types=tuple(up),  # pyright: ignore[reportArgumentType]
        block_out_channels=preset.channels,  # pyright: ignore[reportArgumentType]
        layers_per_block=preset.layers,
        cross_attention_dim=preset.text_width,
        attention_head_dim=preset.heads,  # pyright: ignore[reportArgumentType]  # the number of heads, by an old mistake
        norm_num_groups=preset.groups,
    )


def build_text_encoder(preset: Preset, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    ids: dict[str, Any] = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=preset.text_width,
            intermediate_size=4 * preset.text_width,
            num_hidden_layers=preset.text_layers,
            num_attention_heads=preset.text_heads,
            max_position_embeddings=preset.prompt_tokens,
            projection_dim=preset.text_width,
            **ids,
        )
    )


def build_scheduler() -> DDIMScheduler:
    """Velocities, and a last step that is noise alone (https://arxiv.org/abs/2305.08891), so that dark pictures can be
    dark."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def assemble(
    vae: Any, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer, unet: UNet2DConditionModel
) -> StableDiffusionPipeline:
    parts: dict[str, Any] = {
        "vae": vae,
        "text_encoder": text_encoder,
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": build_scheduler(),
    }
    return StableDiffusionPipeline(
        **parts,
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )


def save_as(pipe: StableDiffusionPipeline, dtype: torch.dtype, folder: Path) -> None:
    """The weights in that precision; the pipeline keeps its own."""
    parts: tuple[Any, ...] = (pipe.vae, pipe.text_encoder, pipe.unet)
    training = [part.training for part in parts]
    for part in parts:
        part.to(dtype).eval()
    save(pipe, folder)
    for part, was_training in zip(parts, training, strict=True):
        part.float().train(was_training)


def save(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """The weights as they are; but who opens the folder and names no precision computes in float32 throughout."""
    pipe.save_pretrained(folder, safe_serialization=True)
    for part in ("unet", "vae"):
        forget_origin(folder / part)
    file = folder / "text_encoder" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dtype": "float32"}, indent=2) + "\n")


def forget_origin(part: Path) -> None:
    """Diffusers notes from which folder of this machine a network was loaded; nobody else needs to know."""
    file = part / "config.json"
    found = {name: value for name, value in json.loads(file.read_text()).items() if name != "_name_or_path"}
    file.write_text(json.dumps(found, indent=2) + "\n")
