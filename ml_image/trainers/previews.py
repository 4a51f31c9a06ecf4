"""Pictures that a model makes while it learns, for the job's events."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ml_image.catalog import family_of
from shared.pictures import encode_picture
from shared.training.progress import Progress

MANY, SEED = 4, 1234
STEPS = 10
"""Enough to see where it is going: twenty times twenty steps took as long as a small adapter's training."""


def shower(pipe: Any, prompts: Sequence[str], size: tuple[int, int], guidance: float) -> Callable[[Progress], None]:
    """What the loop is to call: the first MANY prompts, always from the same noise. `size` is (width, height)."""
    wanted = list(dict.fromkeys(prompts))[:MANY]
    network = getattr(pipe, family_of(pipe).network)
    pipe.set_progress_bar_config(disable=True)

    @torch.no_grad()
    def show(progress: Progress) -> None:
        was_training = network.training
        network.eval()
        made = pipe(
            wanted,
            width=size[0],
            height=size[1],
            num_inference_steps=STEPS,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(SEED + place) for place in range(len(wanted))],
        ).images
        network.train(was_training)
        progress.pictures(
            [
                {"prompt": prompt, "b64_json": base64.b64encode(encode_picture(image)).decode()}
                for prompt, image in zip(wanted, made, strict=True)
            ]
        )

    return show
