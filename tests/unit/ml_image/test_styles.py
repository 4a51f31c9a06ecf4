"""Styles by name, sizes from what is wanted to what is made, and settings of how a model is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ml_image import sizes
from ml_image.engine import Request
from ml_image.styles import TABLE, find_style, read_styles
from shared.errors import InvalidRequest, NotReady
from tests.unit.ml_image import pipelines
from tests.unit.ml_image.conftest import paint
from tests.unit.ml_image.test_families import difference


def test_every_style_has_a_place_for_the_prompt() -> None:
    table = read_styles(TABLE)
    assert {"photo", "flat", "watercolour", "3d"} <= set(table)
    assert table["photo"].apply("a cup", "dust")[0].startswith("a cup, ")
    assert table["photo"].apply("a cup", "dust")[1].startswith("dust, ")


def test_a_teams_own_comes_before_the_models_and_ours(tmp_path: Path) -> None:
    own, model = tmp_path / "own.json", tmp_path / "model"
    model.mkdir()
    (model / "styles.json").write_text(json.dumps({"flat": {"prompt": "{prompt} model"}, "warm": {}}))
    assert find_style("flat", None, model).prompt == "{prompt} model"
    own.write_text(json.dumps({"flat": {"prompt": "{prompt} own"}}))
    assert find_style("flat", own, model).prompt == "{prompt} own"
    assert find_style("warm", own, model).prompt == "{prompt}"
    with pytest.raises(InvalidRequest, match="watercolour"):
        find_style("cold", own, model)


@pytest.mark.parametrize("table", ["[1]", "{", '{"a": {"prompt": "no place"}}', '{"a": {"adaptor": "x"}}'])
def test_a_table_that_is_none_is_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / "own.json").write_text(table)
    with pytest.raises(InvalidRequest, match=r"own\.json") as error:
        find_style("a", tmp_path / "own.json", tmp_path)
    assert error.value.param == "style"


async def test_a_style_changes_the_picture(tiny: Any, start: Any) -> None:
    engine = start(tiny())
    plain = Request("a cup", size=(64, 64), steps=2, seed=1, guidance=3.0)
    styled = Request("a cup", size=(64, 64), steps=2, seed=1, guidance=3.0, style="minimal")
    spelled = find_style("minimal", None, tiny()).apply("a cup", "")
    by_hand = Request(spelled[0], negative=spelled[1], size=(64, 64), steps=2, seed=1, guidance=3.0)
    made = [(await paint(engine, request))[0] for request in (plain, styled, by_hand)]
    assert difference(made[1], made[2]) == 0 < difference(made[0], made[1])


def test_sizes() -> None:
    assert sizes.plan(512, 256, 8, 0) == sizes.Plan(512, 256, 512, 256)
    assert sizes.plan(520, 512, 16, 0) == sizes.Plan(520, 512, 528, 512)
    assert sizes.plan(512, 256, 8, 128) == sizes.Plan(512, 256, 128, 64)
    assert sizes.near(4000, 3000, 1024) == (1024, 768)
    assert sizes.near(10, 2000, 1024) == (64, 1024)
    assert sizes.fit(Image.new("RGB", (128, 64)), 512, 248).size == (512, 248)


async def test_a_model_that_makes_small_pictures_answers_large_ones(tiny: Any, start: Any, tmp_path: Path) -> None:
    folder = pipelines.save(tmp_path / "small")
    (folder / "generation_config.json").write_text(json.dumps({"largest": 64, "num_inference_steps": 2}))
    (made,) = await paint(start(folder), Request("a cup", size=(256, 128)))
    assert made.size == (256, 128)


async def test_offloading_needs_somewhere_to_load_to(tiny: Any, start: Any) -> None:
    with pytest.raises(NotReady, match="ML_IMAGE_OFFLOAD"):
        await start(tiny(), offload="model", device="cpu").load("tiny")


async def test_eight_bits_need_a_gpu(tiny: Any, start: Any) -> None:
    with pytest.raises(InvalidRequest, match="GPU") as error:
        await start(tiny(), quantize="int8", device="cpu").load("tiny")
    assert error.value.param == "quantize"
