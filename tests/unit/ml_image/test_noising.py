"""What training asks of a network is what diffusers' schedulers ask of it."""

from typing import Any

import diffusers
import pytest
import torch

from ml_image.denoising import time_shift
from ml_image.trainers import noising
from tests.unit.ml_image.pipelines import ddim

LATENTS = torch.randn(3, 4, 6, 8, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(3, 4, 6, 8, generator=torch.Generator().manual_seed(2))
LEVELS = torch.tensor([0, 400, 999])


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_diffusion_is_the_schedulers(predicts: str) -> None:
    scheduler = ddim(prediction_type=predicts)
    noised, wanted, times = noising.of(scheduler).noised(LATENTS, NOISE, LEVELS)
    torch.testing.assert_close(noised, scheduler.add_noise(LATENTS, NOISE, LEVELS))
    other = NOISE if predicts == "epsilon" else scheduler.get_velocity(LATENTS, NOISE, LEVELS)
    torch.testing.assert_close(wanted, other)
    assert times.equal(LEVELS)


@pytest.mark.parametrize("config", [{"shift": 3.0}, {"use_dynamic_shifting": True}])
def test_flow_is_the_schedulers(config: dict[str, Any]) -> None:
    """As its own table has it, shifted for pictures of this size; what is said leads from noise back to the picture."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**config)
    shift = time_shift(scheduler, 6, 8)
    assert (shift is None) == ("shift" in config)
    if shift is not None:
        scheduler.set_timesteps(sigmas=[1 - number / 1000 for number in range(1000)], mu=shift)
    noised, wanted, times = noising.of(scheduler).noised(LATENTS, NOISE, LEVELS)
    same = scheduler.timesteps[999 - LEVELS]
    torch.testing.assert_close(times, same)
    torch.testing.assert_close(noised, scheduler.scale_noise(LATENTS, same, NOISE))
    torch.testing.assert_close(noised - (times / 1000).view(-1, 1, 1, 1) * wanted, LATENTS)


@pytest.mark.parametrize("scheduler", [ddim(), diffusers.FlowMatchEulerDiscreteScheduler()])
def test_every_level_is_drawn(scheduler: Any) -> None:
    torch.manual_seed(0)
    kind = noising.of(scheduler)
    levels = kind.draw(20_000, torch.device("cpu"))
    assert 0 <= levels.min() < 20 and 980 < levels.max() < kind.levels
    assert (kind.weights(levels) > 0).all()
