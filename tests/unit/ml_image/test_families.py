"""Every family makes what diffusers' own pipelines make, alone and in company."""

import asyncio
from dataclasses import replace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from PIL import Image

from ml_image import loading
from ml_image.catalog import FAMILIES
from ml_image.edits import Edit
from ml_image.engine import Request
from ml_image.settings import ImageSettings
from ml_image.sources import Source
from tests.unit.ml_image import pipelines
from tests.unit.ml_image.conftest import paint
from tests.unit.services import settings_in

# of diffusers' Euler scheduler with NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
EVERY = pytest.mark.parametrize("family", FAMILIES)
PROMPT = "a red cat"


def reference(folder: Any, family: str, kind: str = "", **options: Any) -> Image.Image:
    """What diffusers' pipeline makes, with the conditions that our requests have by default."""
    name = family.replace("Pipeline", f"{kind}Pipeline")
    pipe = getattr(diffusers, name).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        return pipe(PROMPT, **options).images[0]


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest, in steps of 255."""
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


def photo(width: int = 64, height: int = 64) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1))


def test_every_family_has_a_tiny_pipeline() -> None:
    assert set(pipelines.BUILD) == set(FAMILIES)


@EVERY
async def test_it_makes_what_diffusers_makes(family: str, tiny: Any, start: Any) -> None:
    folder = tiny(family)
    engine = start(folder)
    request = Request(PROMPT, size=(64, 96), steps=4, guidance=3.0, seed=7)
    (ours,) = await paint(engine, request)
    theirs = reference(
        folder, family, width=64, height=96, num_inference_steps=4, guidance_scale=3.0,
        generator=torch.Generator().manual_seed(7),
    )  # fmt: skip
    assert ours.size == (64, 96)
    assert difference(ours, theirs) <= 1
    (other,) = await paint(engine, Request("something else", size=(64, 96), steps=4, guidance=3.0, seed=7))
    assert difference(ours, other) > 1, "the words matter"


@EVERY
async def test_a_picture_does_not_depend_on_its_company(family: str, tiny: Any, start: Any) -> None:
    engine = start(tiny(family))
    wanted = [
        Request(f"picture {number}", size=(64, 64), steps=2 + number, guidance=(1.0, 2.0, 5.0)[number % 3], seed=number)
        for number in range(4)
    ]
    alone = [(await paint(engine, request))[0] for request in wanted]
    together = await asyncio.gather(*(paint(engine, request) for request in wanted))
    assert [difference(one, two[0]) <= 1 for one, two in zip(alone, together, strict=True)] == [True] * 4


@EVERY
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
async def test_it_edits_as_diffusers_edits(family: str, masked: bool, tiny: Any, start: Any) -> None:
    folder = tiny(family)
    engine = start(folder)
    picture, mask = photo(), None
    if masked:
        mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
        mask.paste((0, 0, 0, 0), (0, 0, 32, 64))
    request = Request(PROMPT, steps=6, guidance=3.0, seed=7, edit=Edit(picture, mask, strength=0.5))
    (ours,) = await paint(engine, request)
    options: dict[str, Any] = {"image": picture, "strength": 0.5, "num_inference_steps": 6, "guidance_scale": 3.0}
    if masked:
        hole = Image.new("L", (64, 64), 0)
        hole.paste(255, (0, 0, 32, 64))
        options["mask_image"] = hole
    if masked or family == "FluxPipeline":
        options |= {"width": 64, "height": 64}
    kind = "Inpaint" if masked else "Img2Img"
    theirs = reference(folder, family, kind, generator=torch.Generator().manual_seed(7), **options)
    if not masked:
        assert difference(ours, theirs) <= 1
        return
    inside, outside = (0, 0, 24, 64), (32, 0, 64, 64)
    assert difference(ours.crop(outside), picture.crop(outside)) == 0, "what may not change is the picture's own"
    assert difference(ours.crop(inside), theirs.crop(inside)) <= 1


@EVERY
async def test_large_parts_are_held_in_four_bits_without_a_gpu(family: str, tiny: Any, start: Any) -> None:
    folder = tiny(family)
    request = Request(PROMPT, size=(64, 64), steps=2, guidance=1.0, seed=7)
    small, full = start(folder, quantize="nf4", device="cpu"), start(folder)
    (made,), (wanted,) = await paint(small, request), await paint(full, request)
    (other,) = await paint(full, replace(request, prompt="something else", seed=8))
    near, far = (np.abs(np.subtract(image, wanted, dtype=float)).mean() for image in (made, other))
    assert 0 < near < far
    pipe: Any = loading.load(Source("tiny", folder, 0, None), settings_in(folder, ImageSettings, quantize="nf4")).pipe
    for name in FAMILIES[family].quantized:
        kinds = {type(layer) for layer in getattr(pipe, name).modules()}
        assert Linear4bit in kinds and torch.nn.Linear not in kinds
