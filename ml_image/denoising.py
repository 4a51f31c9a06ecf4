"""One picture on its way from noise: its latents, its own scheduler, what it is guided by and what it must keep.

A scheduler of its own for each picture lets those of any age, step count and guidance share a pass of the network; the
arithmetic is that of diffusers' pipelines, and the tests compare with them.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from torch import Tensor

from ml_image.families.family import Conditions, Family
from shared.errors import InvalidRequest


@dataclass(frozen=True)
class Kept:
    """What an edit starts from, as latents (1, C, h, w)."""

    latents: Tensor
    strength: float
    """In (0, 1]: the share of the steps that are taken."""
    mask: Tensor | None = None
    """(1, 1, h, w), 1 where it may change; None: everywhere."""


class Denoising:
    """Latents are (1, C, h, w)."""

    def __init__(
        self,
        pipe: Any,
        family: Family,
        passes: Sequence[Conditions],
        shape: tuple[int, int, int],
        *,
        steps: int,
        guidance: float,
        rescale: float,
        generator: torch.Generator,
        kept: Kept | None,
    ) -> None:
        """`shape` is (C, h, w); the first draw of `generator` after those for `kept` is the noise."""
        self.passes, self.guidance, self.rescale, self.kept = passes, guidance, rescale, kept
        self.generator, self.index = generator, 0
        self.scheduler = pipe.scheduler.from_config(pipe.scheduler.config)
        device, dtype = pipe._execution_device, passes[0]["states"].dtype
        self.timesteps: Tensor = self._plan(family, steps, shape, device)
        self.noise = torch.randn((1, *shape), generator=generator, dtype=dtype).to(device)
        self.latents = self._first()
        self._step_takes = set(inspect.signature(self.scheduler.step).parameters)

    def _plan(self, family: Family, steps: int, shape: tuple[int, int, int], device: torch.device) -> Tensor:
        """The times of the steps; with `kept` only the last ones."""
        scheduler = self.scheduler
        extra: dict[str, Any] = {}
        if family.sigmas and not scheduler.config.get("use_flow_sigmas"):
            extra["sigmas"] = family.sigmas(steps)
        else:
            extra["num_inference_steps"] = steps
        if (shift := time_shift(scheduler, *shape[1:])) is not None:
            extra["mu"] = shift
        scheduler.set_timesteps(device=device, **extra)
        first = 0
        if self.kept is not None:
            taken = min(steps * self.kept.strength, steps)
            first = int(max(steps - taken, 0)) * scheduler.order
            if first >= len(scheduler.timesteps):
                raise InvalidRequest(
                    f"{steps} steps at strength {self.kept.strength:g} leave none to take: raise one of them",
                    param="strength",
                )
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        return scheduler.timesteps[first:]

    def _first(self) -> Tensor:
        if self.kept is None or (self.kept.strength >= 1 and self.kept.mask is not None):
            return self.noise * getattr(self.scheduler, "init_noise_sigma", 1.0)
        return self._noised(self.timesteps[:1])

    def _noised(self, timestep: Tensor) -> Tensor:
        """What is kept, with as much noise as there is at `timestep` (1,)."""
        assert self.kept is not None
        add = getattr(self.scheduler, "add_noise", None)
        if add is not None:
            return add(self.kept.latents, self.noise, timestep)
        return self.scheduler.scale_noise(self.kept.latents, timestep, self.noise)

    @property
    def left(self) -> int:
        """Steps still to take."""
        return len(self.timesteps) - self.index

    @property
    def timestep(self) -> Tensor:
        return self.timesteps[self.index]

    def network_input(self) -> Tensor:
        """(1, C, h, w), one for every pass."""
        scale = getattr(self.scheduler, "scale_model_input", None)
        return scale(self.latents, self.timestep) if scale else self.latents

    def advance(self, predictions: Tensor, preview: bool = False) -> Tensor | None:
        """Take a step by what the network said in each pass, (P, C, h, w); with `preview`, where it seems to end."""
        prediction = self._guided(predictions)
        before, timestep = self.latents, self.timestep
        extra = {"generator": self.generator} if "generator" in self._step_takes else {}
        result = self.scheduler.step(prediction, timestep, before, **extra)
        self.index += 1
        self.latents = self._keep(result.prev_sample.to(before.dtype))
        return self._estimate(result, prediction, before) if preview else None

    def _guided(self, predictions: Tensor) -> Tensor:
        if len(predictions) == 1:
            return predictions
        negative, prompt = predictions.chunk(2)
        guided = negative + self.guidance * (prompt - negative)
        if self.rescale:
            # https://arxiv.org/abs/2305.08891, section 3.4: guidance must not change how much contrast there is
            ratio = prompt.std(dim=(1, 2, 3), keepdim=True) / guided.std(dim=(1, 2, 3), keepdim=True)
            guided = self.rescale * (guided * ratio) + (1 - self.rescale) * guided
        return guided

    def _keep(self, latents: Tensor) -> Tensor:
        if self.kept is None or self.kept.mask is None:
            return latents
        kept = self._noised(self.timesteps[self.index : self.index + 1]) if self.left else self.kept.latents
        return (1 - self.kept.mask) * kept + self.kept.mask * latents

    def _estimate(self, result: Any, prediction: Tensor, before: Tensor) -> Tensor:
        """The picture as it would be if the rest of the way were straight."""
        found = getattr(result, "pred_original_sample", None)
        if found is not None:
            return found
        scheduler = self.scheduler
        if hasattr(scheduler, "scale_noise"):  # rectified flow: the prediction is a velocity
            return before - scheduler.sigmas[scheduler.step_index - 1] * prediction
        if hasattr(scheduler, "convert_model_output") and getattr(scheduler, "model_outputs", None):
            return scheduler.model_outputs[-1]  # of DPM-Solver++: its estimates of the end
        return self.latents


_SHIFT = ("base_seq_len", "max_seq_len", "base_shift", "max_shift")
_NAMES = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")


def time_shift(scheduler: Any, height: int, width: int) -> float | None:
    """How much more noise latents of that size get, as FLUX's scheduler is told (`mu`); None where it does not ask."""
    config = scheduler.config
    if not config.get("use_dynamic_shifting"):
        return None
    given = {short: config[name] for short, name in zip(_SHIFT, _NAMES, strict=True) if name in config}
    return calculate_shift((height // 2) * (width // 2), **given)
