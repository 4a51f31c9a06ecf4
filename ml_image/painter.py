"""What one loaded model does for its batcher: reads prompts, takes steps for many pictures at once, shows them."""

from collections import OrderedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ml_image import latents
from ml_image.adapters import Adapters
from ml_image.denoising import Denoising, Kept
from ml_image.edits import Start
from ml_image.families.family import Conditions, Wanted
from ml_image.job import Job, Progress
from ml_image.loading import Loaded
from shared.errors import InvalidRequest

PROMPTS = 64
"""Read prompts that are kept: pictures of one request share theirs."""


class PipelinePainter:
    """Used in the batcher's thread alone."""

    def __init__(self, loaded: Loaded, adapters: int) -> None:
        self._loaded, self._pipe, self._family = loaded, loaded.pipe, loaded.family
        self.adapters = Adapters(loaded.pipe, adapters)
        self._read: OrderedDict[tuple[str, Wanted], list[Conditions]] = OrderedDict()

    def begin(self, job: Job) -> None:
        self.adapters.use(job.adapter)
        passes = self._conditions(job)
        generator = torch.Generator().manual_seed(job.seed)
        kept = self._kept(job.start, generator) if job.start else None
        factor = self._loaded.factor
        shape = (self._pipe.vae.config.latent_channels, job.wanted.height // factor, job.wanted.width // factor)
        job.denoising = Denoising(
            self._pipe,
            self._family,
            passes,
            shape,
            steps=job.steps,
            guidance=job.wanted.guidance,
            rescale=job.rescale,
            generator=generator,
            kept=kept,
        )

    def step(self, jobs: list[Job]) -> list[Progress | None]:
        self.adapters.use(jobs[0].adapter)
        ways = [job.denoising for job in jobs if job.denoising]
        inputs, timesteps, rows = [], [], []
        for way in ways:
            inputs += [way.network_input()] * len(way.passes)
            timesteps += [way.timestep] * len(way.passes)
            rows += way.passes
        conditions = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        predictions = self._family.predict(self._pipe, torch.cat(inputs), torch.stack(timesteps), conditions)
        shown: list[Progress | None] = []
        first = 0
        for job, way in zip(jobs, ways, strict=True):
            due = job.is_preview_due
            estimate = way.advance(predictions[first : first + len(way.passes)], preview=due)
            first += len(way.passes)
            shown.append(self._preview(job, estimate) if estimate is not None else None)
        return shown

    def finish(self, job: Job) -> Progress:
        assert job.denoising is not None
        return Progress(self._show(job.denoising.latents))

    def _preview(self, job: Job, estimate: Tensor) -> Progress:
        number, job.told = job.told, job.told + 1
        return Progress(self._show(estimate), preview=number)

    def _show(self, found: Tensor) -> Image.Image:
        pixels = latents.decode(self._pipe, found)
        return self._pipe.image_processor.postprocess(pixels, output_type="pil")[0]

    def _conditions(self, job: Job) -> list[Conditions]:
        """An adapter may change the encoder of the prompt, so it is part of what is remembered."""
        key = (job.group[0], job.wanted)
        if key not in self._read:
            self._check_length(job.wanted)
            self._read[key] = self._family.encode(self._pipe, job.wanted)
            if len(self._read) > PROMPTS:
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return self._read[key]

    def _check_length(self, wanted: Wanted) -> None:
        """Where diffusers cuts. Raises InvalidRequest."""
        tokenizer = getattr(self._pipe, self._family.tokenizer, None)
        if tokenizer is None:  # the pipeline was saved without it
            return
        most = self._family.tokens or tokenizer.model_max_length
        for param, text in (("prompt", wanted.prompt), ("negative_prompt", wanted.negative)):
            if (count := len(tokenizer(text).input_ids)) > most:
                raise InvalidRequest(
                    f"the {param.replace('_', ' ')} has {count} tokens, with its style; the model reads {most}",
                    param=param,
                    code="context_length_exceeded",
                )

    def _kept(self, start: Start, generator: torch.Generator) -> Kept:
        found = latents.encode(self._pipe, start.picture, generator)
        dtype = getattr(self._pipe, self._family.network).dtype
        mask = None if start.mask is None else self._small(start.mask, found)
        return Kept(found.to(dtype), start.strength, mask)

    def _small(self, mask: Image.Image, like: Tensor) -> Tensor:
        """(1, 1, h, w): a latent may change where any of its pixels may."""
        pixels = torch.from_numpy(np.array(mask.convert("L"), dtype=np.float32) / 255)
        small = torch.nn.functional.adaptive_max_pool2d((pixels >= 0.5).float()[None, None], tuple(like.shape[-2:]))
        return small.to(like)
