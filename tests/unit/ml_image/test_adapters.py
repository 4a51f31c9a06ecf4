"""LoRA by model name: the right one for every picture, swapped in place, refused where it does not fit."""

import asyncio
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from ml_image.adapters import WEIGHTS
from ml_image.engine import Request
from shared import registry
from shared.errors import InvalidRequest
from tests.unit.ml_image.conftest import paint
from tests.unit.ml_image.test_families import difference

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


@pytest.fixture
def publish(tiny: Any, tmp_path: Path) -> Callable[..., Path]:
    """publish(name, seed, …) makes a random adapter for the tiny model and publishes it; the folder is returned."""

    def make(
        name: str,
        seed: int = 0,
        rank: int = 4,
        alpha: int = 8,
        targets: Any = ATTENTION,
        change: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        family: str = "StableDiffusionPipeline",
    ) -> Path:
        pipe = getattr(diffusers, family).from_pretrained(tiny(family))
        torch.manual_seed(seed)
        network = getattr(pipe, "unet", None) or pipe.transformer
        network.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False))
        folder = tmp_path / f"adapter-{name}"
        part = "unet" if hasattr(pipe, "unet") else "transformer"
        layers = {f"{part}_lora_layers": get_peft_model_state_dict(network)}
        metadata = {f"{part}_lora_adapter_metadata": network.peft_config["default"].to_dict()}
        pipe.save_lora_weights(folder, **layers, **metadata)
        if change:
            save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
        registry.publish(tmp_path / "data", name, folder, {"service": "image", "base": "tiny"})
        return folder

    return make


def wanted(model: str, seed: int = 1) -> Request:
    return Request("a red cat", model=model, size=(64, 64), steps=2, guidance=3.0, seed=seed)


def reference(folder: Path, adapter: Path | None, family: str = "StableDiffusionPipeline") -> Any:
    """By a pipeline that was just loaded."""
    pipe = getattr(diffusers, family).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    if adapter:
        pipe.load_lora_weights(str(adapter), weight_name=WEIGHTS)
    options = {"width": 64, "height": 64, "num_inference_steps": 2, "guidance_scale": 3.0}
    with torch.inference_mode():
        return pipe("a red cat", generator=torch.Generator().manual_seed(1), **options).images[0]


async def test_every_picture_is_from_the_adapter_that_was_asked_for(tiny: Any, start: Any, publish: Any) -> None:
    """More adapters than slots, of different ranks, scales and layers, in turn and at once."""
    shapes = [(4, 8, ATTENTION), (8, 4, ATTENTION), (2, 2, ["to_q", "to_v"]), (4, 4, [*ATTENTION, "conv1"])]
    engine = start(tiny(), adapters=2)
    expected = {"tiny": reference(tiny(), None)}
    for number, (rank, alpha, targets) in enumerate(shapes):
        name = f"adapter-{number}"
        expected[name] = reference(tiny(), publish(name, number + 1, rank, alpha, targets))
    assert all(difference(one, other) > 2 for one, other in itertools.combinations(expected.values(), 2))
    for name in [*expected, *reversed(expected)]:
        (made,) = await paint(engine, wanted(name))
        assert difference(made, expected[name]) <= 1, name
    names = random.Random(0).choices(list(expected), k=16)
    together = await asyncio.gather(*(paint(engine, wanted(name)) for name in names))
    for name, (made,) in zip(names, together, strict=True):
        assert difference(made, expected[name]) <= 1, name


@pytest.mark.parametrize("family", ["StableDiffusion3Pipeline", "FluxPipeline"])
async def test_transformers_take_adapters_too(family: str, tiny: Any, start: Any, publish: Any) -> None:
    engine = start(tiny(family))
    folder = publish("styled", 1, targets=["to_q", "to_k", "to_v"], family=family)
    (made,) = await paint(engine, wanted("styled"))
    assert difference(made, reference(tiny(family), folder, family)) <= 1
    assert difference(made, (await paint(engine, wanted("tiny")))[0]) > 2


async def test_a_new_version_answers_by_the_same_name(tiny: Any, start: Any, publish: Any) -> None:
    engine = start(tiny())
    first = publish("house", 1)
    (before,) = await paint(engine, wanted("house"))
    assert difference(before, reference(tiny(), first)) <= 1
    second = publish("house", 2)
    (after,) = await paint(engine, wanted("house"))
    assert difference(after, reference(tiny(), second)) <= 1 < difference(before, after)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state: {key.replace("attentions", "elsewhere"): value for key, value in state.items()},
            "no such layer",
        ),
        (lambda state: {key: value[:, :8].contiguous() for key, value in state.items()}, "does not fit"),
        (lambda state: {}, "no layer"),
    ],
    ids=["elsewhere", "narrow", "empty"],
)
async def test_an_adapter_that_does_not_fit_is_refused(
    tiny: Any, start: Any, publish: Any, change: Any, said: str
) -> None:
    engine = start(tiny())
    publish("fits", 1)
    publish("broken", 2, change=change)
    (before,) = await paint(engine, wanted("tiny"))
    with pytest.raises(InvalidRequest, match=said) as error:
        await paint(engine, wanted("broken"))
    assert error.value.param == "model"
    assert difference((await paint(engine, wanted("tiny")))[0], before) == 0
    assert difference((await paint(engine, wanted("fits")))[0], before) > 2


async def test_other_files_are_refused(tiny: Any, start: Any, publish: Any, tmp_path: Path) -> None:
    engine = start(tiny())
    for name, content in (("pickled", b"\x80\x04"), ("torn", b"\x10\0\0\0\0\0\0\0{")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / ("pytorch_lora_weights.bin" if name == "pickled" else WEIGHTS)).write_bytes(content)
        registry.publish(tmp_path / "data", name, folder, {"service": "image", "base": "tiny"})
        with pytest.raises(InvalidRequest, match=name):
            await paint(engine, wanted(name))
    assert await paint(engine, wanted("tiny"))
