"""Tiny pipelines of every family with random weights, as folders that diffusers itself would write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

START, END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer(length: int = 77) -> Any:
    """One token per character."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    return CLIPTokenizer({piece: at for at, piece in enumerate(pieces)}, [], model_max_length=length)


def t5_tokenizer() -> Any:
    letters = "▁abcdefghijklmnopqrstuvwxyz"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in letters)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def text_encoder(kind: type = CLIPTextModel, width: int = 32) -> Any:
    tokenizer = clip_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(config)


def vae(channels: int = 4, **config: Any) -> Any:
    """Four levels: a factor of 8, as the real ones."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=64,
        **config,
    )


def unet(**config: Any) -> Any:
    fields: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
        "layers_per_block": 1,
    }
    return diffusers.UNet2DConditionModel(**{**fields, **config})


def ddim(**config: Any) -> Any:
    fields: dict[str, Any] = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
        "steps_offset": 1,
        "set_alpha_to_one": False,
    }
    return diffusers.DDIMScheduler(**{**fields, **config})


def stable_diffusion(scheduler: Any = None) -> Any:
    return diffusers.StableDiffusionPipeline(
        vae=vae(),
        text_encoder=text_encoder(),
        tokenizer=clip_tokenizer(),
        unet=unet(),
        scheduler=scheduler or ddim(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl() -> Any:
    network = unet(
        cross_attention_dim=64,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80,
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=text_encoder(),
        text_encoder_2=text_encoder(CLIPTextModelWithProjection),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=network,
        scheduler=diffusers.EulerDiscreteScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
        ),
    )


def stable_diffusion_3() -> Any:
    network = diffusers.SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        pos_embed_max_size=16,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=network,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        # diffusers 0.42 forgets the shift when SD 3 inpaints, so here is none; FLUX has one
        vae=vae(16, shift_factor=0.0, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=text_encoder(CLIPTextModelWithProjection),
        tokenizer=clip_tokenizer(),
        text_encoder_2=text_encoder(CLIPTextModelWithProjection),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_encoder(64),
        tokenizer_3=t5_tokenizer(),
    )


def t5_encoder(width: int) -> Any:
    return T5EncoderModel(T5Config(vocab_size=40, d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4))


def flux() -> Any:
    network = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=True,
    )
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=vae(16, shift_factor=0.12, scaling_factor=0.36, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=text_encoder(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_encoder(32),
        tokenizer_2=t5_tokenizer(),
        transformer=network,
    )


BUILD: dict[str, Callable[[], Any]] = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "FluxPipeline": flux,
}


def save(folder: Path, family: str = "StableDiffusionPipeline", seed: int = 0, **options: Any) -> Path:
    """The folder of a tiny pipeline; the same weights for the same seed, larger than usual so that words matter."""
    torch.manual_seed(seed)
    pipe = BUILD[family](**options)
    with torch.no_grad():
        for name in ("unet", "transformer", "text_encoder"):
            for parameter in getattr(pipe, name, torch.nn.Module()).parameters():
                if parameter.dim() > 1:
                    parameter.mul_(1.5)
    pipe.save_pretrained(folder)
    return folder
