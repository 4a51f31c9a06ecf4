"""A sharper decoder: what it learns from, what it leaves alone, what is published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ml_image.data.pictures import Drawn
from ml_image.models import autoencoder
from ml_image.trainers import decoder
from ml_image.trainers.autoencoding import Crops
from shared import registry
from tests.unit.ml_image.training import losses, settings, train_scratch, write_folder


def train(tmp_path: Path, base: Path, dataset: Path = Path("scenes"), **fields: Any) -> str:
    given = {"batch_size": 4, "max_steps": 3, "log_steps": 1, "scenes": 12, "name": "sharper", **fields}
    return decoder.main(decoder.Args(dataset=[dataset], model=str(base), **given), settings(tmp_path))


def weights(model: Path) -> dict[str, torch.Tensor]:
    files = {part: model / part / "diffusion_pytorch_model.safetensors" for part in ("unet", "vae")}
    files["text_encoder"] = model / "text_encoder" / "model.safetensors"
    return {f"{part}.{name}": value.float() for part, file in files.items() for name, value in load_file(file).items()}


def test_nothing_but_the_decoder_changes(tmp_path: Path) -> None:
    train_scratch(tmp_path, output_dir=tmp_path / "first", publish=False)
    first = tmp_path / "first" / "model"
    assert train(tmp_path, first) == "sharper"
    version = registry.resolve(settings(tmp_path).data_dir, "sharper")
    before, after = weights(first), weights(version.path)
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed and all(name.startswith("vae.decoder.") for name in changed)
    assert not any(str(tmp_path) in file.read_text() for file in version.path.glob("*/config.json"))
    assert version.card["parity"]["checked"] and version.card["trainer"] == "decoder"
    assert (version.path / "generation_config.json").read_bytes() == (first / "generation_config.json").read_bytes()


@pytest.mark.parametrize("shape", [(40, 32), (64, 32)])
def test_goes_on_from_stable_diffusions_own_autoencoder(
    tmp_path: Path, tiny: Callable[..., Path], shape: tuple[int, int]
) -> None:
    run = tmp_path / "run"
    pictures = write_folder(tmp_path / "pictures", 3, shape)
    train(tmp_path, tiny(), pictures, batch_size=2, output_dir=run, publish=False)
    before, after = weights(tiny()), weights(run / "model")
    changed = {name for name, value in before.items() if not torch.allclose(value, after[name], atol=1e-3)}
    assert all(name.startswith("vae.decoder.") for name in changed)
    assert len(losses(run)) == 3


def learnt(pull: float, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], torch.Tensor]:
    """Gradients of decoder and critic, and the loss in evaluation."""
    torch.manual_seed(0)
    vae = autoencoder.build(8, (1, 0, 0, 0))
    vae.requires_grad_(False).decoder.requires_grad_(True)
    loss = decoder.DecodingLoss(vae, pull)
    torch.manual_seed(1)
    loss(pixels).backward()
    found = [
        {name: weight.grad for name, weight in part.named_parameters() if weight.grad is not None}
        for part in (vae.decoder, loss.critic)
    ]
    torch.manual_seed(1)
    return found[0], found[1], loss.eval()(pixels)


def test_decoder_and_critic_learn_against_each_other() -> None:
    pixels = Crops(Drawn(4, 32), 32).batch(np.arange(4))["pixels"]
    (calm, critic, off), (pulled, same, also) = learnt(0.0, pixels), learnt(2.0, pixels)
    assert critic and all(torch.equal(critic[name], same[name]) for name in critic)  # not led by what the decoder wants
    assert any(not torch.allclose(calm[name], pulled[name]) for name in calm)
    assert torch.equal(off, also)  # what is told of held-out pictures is the error, whatever the critic thinks


def test_the_critic_pulls_at_the_picture_in_proportion_to_the_error() -> None:
    pixels = Crops(Drawn(4, 32), 32).batch(np.arange(4))["pixels"]
    torch.manual_seed(0)
    vae = autoencoder.build(8, (1, 0, 0, 0))
    at_picture: list[torch.Tensor] = []
    whole: Any = vae.decode

    def decode(latents: torch.Tensor) -> Any:
        said = whole(latents)
        said.sample.register_hook(at_picture.append)
        return said

    vae.decode = decode
    loss = decoder.DecodingLoss(vae, 0.0)

    def pull(times: float) -> torch.Tensor:
        """The gradient at the picture."""
        loss.pull = times
        torch.manual_seed(1)
        loss(pixels).backward()
        return at_picture[-1]

    calm = pull(0.0)
    assert float((pull(3.0) - calm).norm() / calm.norm()) == pytest.approx(3.0, rel=1e-3)
