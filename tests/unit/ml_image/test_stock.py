"""What ships opens in diffusers' own pipelines, each of which makes something of it in a step or two."""

from typing import Any

import pytest
import torch
from diffusers import (
    AnimateDiffPipeline,
    MotionAdapter,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from ml_image.settings import SHIPPED

STARTER = SHIPPED["starter"]
SIDE = 64


def ask(kind: Any, *, loaded_with: dict[str, Any] | None = None, **extra: Any) -> Any:
    pipe = kind.from_pretrained(STARTER, use_safetensors=True, **(loaded_with or {}))
    pipe.set_progress_bar_config(disable=True)
    return pipe("a red boat on the sea", generator=torch.Generator().manual_seed(0), output_type="pt", **extra)


PICTURE = Image.new("RGB", (SIDE, SIDE), "red")
PIPELINES: list[tuple[Any, dict[str, Any]]] = [
    (StableDiffusionPipeline, {"width": SIDE, "height": SIDE, "num_inference_steps": 1}),
    (StableDiffusionImg2ImgPipeline, {"image": PICTURE, "num_inference_steps": 2}),
    (
        StableDiffusionInpaintPipeline,
        {"image": PICTURE, "mask_image": PICTURE, "width": SIDE, "height": SIDE, "num_inference_steps": 2},
    ),
]


@pytest.mark.parametrize(("kind", "extra"), PIPELINES, ids=lambda value: getattr(value, "__name__", ""))
def test_pictures(kind: Any, extra: dict[str, Any]) -> None:
    (made,) = ask(kind, **extra).images
    assert made.shape == (3, SIDE, SIDE)
    assert made.std() > 0.01


def test_a_motion_adapter_goes_on_it() -> None:
    """One of random weights: what is shown is that every layer finds its place, as an adapter for this size would."""
    adapter = MotionAdapter(
        block_out_channels=(48, 96, 128),
        motion_layers_per_block=1,
        motion_mid_block_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=16,
        motion_max_seq_length=8,
    )
    (frames,) = ask(
        AnimateDiffPipeline,
        loaded_with={"motion_adapter": adapter},
        width=SIDE,
        height=SIDE,
        num_frames=3,
        num_inference_steps=1,
    ).frames
    assert frames.shape == (3, 3, SIDE, SIDE)
    assert frames.std() > 0.01
