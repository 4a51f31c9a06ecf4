"""A model from random weights: train, save, open with the stock pipeline, make a picture."""

import base64
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from shared import registry
from shared.errors import InvalidRequest
from tests.unit.ml_image import pipelines
from tests.unit.ml_image.training import losses, settings, train_scratch


def test_trains_publishes_and_opens_in_stock_pipelines(tmp_path: Path) -> None:
    assert train_scratch(tmp_path) == "small"
    version = registry.resolve(settings(tmp_path).data_dir, "small")
    pipe = StableDiffusionPipeline.from_pretrained(version.path)
    pipe.set_progress_bar_config(disable=True)
    made = pipe("a red boat", width=32, height=32, num_inference_steps=2, output_type="np").images
    assert made.shape == (1, 32, 32, 3)
    picture = Image.new("RGB", (32, 32), "red")
    for kind, extra in (
        (StableDiffusionImg2ImgPipeline, {}),
        (StableDiffusionInpaintPipeline, {"mask_image": picture}),
    ):
        other = kind.from_pretrained(version.path)
        other.set_progress_bar_config(disable=True)
        assert other("a boat", image=picture, num_inference_steps=4, **extra).images[0].size == (32, 32)
    assert version.card["parity"]["checked"]


def test_events_show_pictures(tmp_path: Path) -> None:
    train_scratch(tmp_path, output_dir=tmp_path / "run", publish=False)
    lines = map(json.loads, (tmp_path / "run" / "events.jsonl").read_text().splitlines())
    (shown, *_) = [line["images"] for line in lines if "images" in line]
    assert shown[0]["prompt"]
    assert Image.open(io.BytesIO(base64.b64decode(shown[0]["b64_json"]))).size == (32, 32)


def test_resume_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_scratch(tmp_path, output_dir=whole, publish=False, max_steps=4, save_steps=2, keep_checkpoints=9)
    shutil.copytree(whole / "work", cut / "work")
    (cut / "checkpoints").mkdir()
    second = sorted((whole / "checkpoints").glob("*.pt"))[0]
    shutil.copy(second, cut / "checkpoints" / second.name)
    train_scratch(tmp_path, output_dir=cut, publish=False, max_steps=4, save_steps=2, resume=True)
    assert losses(cut) == pytest.approx(losses(whole)[2:], rel=1e-5)
    one, other = (load_file(run / "model" / "unet" / "diffusion_pytorch_model.safetensors") for run in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)  # the moving average goes on, too


def test_init_goes_on_from_a_folder_and_keeps_what_else_is_in_it(tmp_path: Path) -> None:
    train_scratch(tmp_path, output_dir=tmp_path / "first", publish=False)
    first = tmp_path / "first" / "model"
    defaults = json.loads((first / "generation_config.json").read_text()) | {"num_inference_steps": 7}
    (first / "generation_config.json").write_text(json.dumps(defaults))
    still = {"init": first, "publish": False, "max_steps": 1, "learning_rate": 1e-12, "save_dtype": "float32"}
    train_scratch(tmp_path, output_dir=tmp_path / "second", preset="starter", **still)
    second = tmp_path / "second" / "model"
    for part, file in (
        ("unet", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
        ("vae", "diffusion_pytorch_model"),
    ):
        one, other = (load_file(folder / part / f"{file}.safetensors") for folder in (first, second))
        assert all(torch.allclose(one[name].float(), other[name], atol=1e-6) for name in one)
    assert json.loads((second / "generation_config.json").read_text()) == defaults
    assert not any(str(tmp_path) in file.read_text() for file in second.glob("*/config.json"))
    assert (first / "tokenizer" / "tokenizer.json").read_text() == (second / "tokenizer" / "tokenizer.json").read_text()


def test_init_must_be_a_model_to_go_on_from(tmp_path: Path) -> None:
    for folder in (tmp_path / "nothing", pipelines.save(tmp_path / "other", "FluxPipeline")):
        with pytest.raises(InvalidRequest) as refused:
            train_scratch(tmp_path, init=folder)
        assert refused.value.param == "init"
