"""An adapter: train on a few pictures, publish, load by the stock pipeline and by the service."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from ml_image import catalog, loading
from ml_image.adapters import WEIGHTS, Adapters
from ml_image.sources import Sources
from ml_image.trainers import lora
from shared import registry
from shared.errors import InvalidRequest
from tests.unit.ml_image.training import losses, settings, write_folder

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # in diffusers' Euler scheduler


def train(tmp_path: Path, base: Path, dataset: Path, **fields: Any) -> str:
    given = {"batch_size": 2, "max_steps": 4, "log_steps": 1, "resolution": 32, "learning_rate": 0.02, **fields}
    args = lora.Args(dataset=[dataset], model=str(base), **given)
    return lora.main(args, settings(tmp_path))


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        *((family, {}) for family in catalog.FAMILIES),
        ("StableDiffusionPipeline", {"quantize": "nf4"}),
        ("StableDiffusionXLPipeline", {"precision": "bf16", "gradient_checkpointing": True}),
        ("FluxPipeline", {"quantize": "nf4", "precision": "bf16"}),
    ],
)
def test_trains_and_changes_what_is_made(
    tmp_path: Path, tiny: Callable[..., Path], family: str, fields: dict[str, Any]
) -> None:
    base = tiny(family)
    name = train(tmp_path, base, write_folder(tmp_path / "shoes", 3), name="shoes", **fields)
    version = registry.resolve(settings(tmp_path).data_dir, name)
    assert version.card["parity"]["checked"]
    pipe: Any = diffusers.DiffusionPipeline.from_pretrained(base)
    pipe.set_progress_bar_config(disable=True)

    def make() -> torch.Tensor:
        noise = torch.Generator().manual_seed(0)
        made = pipe("shoe", width=32, height=32, num_inference_steps=2, generator=noise, output_type="latent")
        return made.images

    before = make()
    pipe.load_lora_weights(version.path, weight_name=WEIGHTS)
    assert (make() - before).abs().max() > 1e-3
    source = Sources(settings(tmp_path)).find("shoes")
    assert source.base
    own = loading.load(Sources(settings(tmp_path)).fetch(str(base)), settings(tmp_path))
    Adapters(own.pipe, 1).use(source)


def test_pictures_of_many_shapes_share_a_batch(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    folder = write_folder(tmp_path / "shapes", 2, (64, 32))
    for path in write_folder(tmp_path / "others", 2, (32, 64)).glob("*.png"):
        path.rename(folder / f"tall-{path.name}")
        (folder / f"tall-{path.stem}.txt").write_text("tall")
    (folder / "metadata.jsonl").unlink()
    for number in range(2):
        (folder / f"{number}.txt").write_text("wide")
    run = tmp_path / "run"
    train(tmp_path, tiny(), folder, batch_size=4, max_steps=1, output_dir=run, publish=False)
    assert len(losses(run)) == 1
    assert not (run / "work").exists()  # what only the training needed


def test_one_subject_needs_no_captions(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    folder = write_folder(tmp_path / "subject", 2)
    (folder / "metadata.jsonl").unlink()
    with pytest.raises(InvalidRequest, match=r"subject/0\.png has no caption"):
        train(tmp_path, tiny(), folder)
    name = train(tmp_path, tiny(), folder, instance_prompt="a photo of sks shoe", max_steps=1)
    assert name.endswith(":subject")


def test_layers_that_are_none_are_refused(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    with pytest.raises(InvalidRequest, match="has no layer 'c_attn'"):
        train(tmp_path, tiny(), write_folder(tmp_path / "data", 2), target_modules=["c_attn"])


def test_resumed_run_has_the_losses_of_an_undisturbed_one(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    dataset = write_folder(tmp_path / "data", 4)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    given: dict[str, Any] = {"publish": False, "max_steps": 4, "save_steps": 2, "keep_checkpoints": 9}
    train(tmp_path, tiny(), dataset, output_dir=whole, **given)
    (cut / "checkpoints").mkdir(parents=True)
    second = sorted((whole / "checkpoints").glob("*.pt"))[0]
    (cut / "checkpoints" / second.name).write_bytes(second.read_bytes())
    train(tmp_path, tiny(), dataset, output_dir=cut, resume=True, **given)
    assert losses(cut) == pytest.approx(losses(whole)[2:], rel=1e-5)
