"""The engine: a request in, pictures out as they come. Knows models, not HTTP.

    async with engine.open(request) as answer:
        async for shown in answer: ...

Leaving the block cancels what is not finished, within one step.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from ml_image import edits, loading, sizes, styles
from ml_image.edits import Edit, Start
from ml_image.families.family import Wanted
from ml_image.job import Job, Progress
from ml_image.loading import Facts, Loaded
from ml_image.pool import Lease, Pool
from ml_image.settings import ImageSettings
from ml_image.sizes import Plan
from ml_image.sources import Source, Sources
from shared.errors import InvalidRequest
from shared.training import memory

SWEEP_S = 5.0
SEEDS = 2**31


@dataclass(frozen=True)
class Request:
    """Pictures that are wanted. None leaves a field to the model."""

    prompt: str
    model: str | None = None
    n: int = 1
    size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    """Of the first picture; each counts on."""
    style: str | None = None
    edit: Edit | None = None
    previews: int = 0
    """Pictures on the way, for each."""


@dataclass(frozen=True)
class Shown:
    """A picture at the answer's size; `preview` counts those on the way, None is the finished one."""

    index: int
    picture: Image.Image
    preview: int | None


@dataclass
class Answer:
    """Iterate to be shown each preview and picture, of all `seeds` in any order."""

    model: str
    width: int
    height: int
    seeds: list[int]
    made: "asyncio.Queue[tuple[int, Progress]]"
    complete: Callable[[Image.Image], Image.Image]

    async def __aiter__(self) -> AsyncIterator[Shown]:
        left = len(self.seeds)
        while left:
            index, progress = await self.made.get()
            if progress.error is not None:
                raise progress.error
            assert progress.picture is not None
            picture = await asyncio.to_thread(self.complete, progress.picture)
            left -= progress.preview is None
            yield Shown(index, picture, progress.preview)


class Engine:
    """Create and `close` it in a running event loop. `default` answers requests that name no model."""

    def __init__(self, settings: ImageSettings, sources: Sources, default: str) -> None:
        self.settings, self.sources, self.default = settings, sources, default
        self.pool = Pool(settings, sources)
        self._loop = asyncio.get_running_loop()
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        self._sweeper.cancel()
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Start making them. Raises what is wrong with the request, or Overloaded."""
        source, prompt, negative = self._styled(request)
        async with self.pool.lease(source) as lease:
            base, made = lease.resident.base, asyncio.Queue[tuple[int, Progress]]()
            plan, start, complete = await asyncio.to_thread(self._prepare, base, request)
            first = random.randrange(SEEDS) if request.seed is None else request.seed
            seeds = [first + index for index in range(request.n)]
            job = partial(self._job, lease, request, plan, start, (prompt, negative))
            jobs = [job(seed, self._emitter(made, index)) for index, seed in enumerate(seeds)]
            lease.resident.batcher.submit(jobs)
            try:
                yield Answer(source.name, plan.width, plan.height, seeds, made, complete)
            finally:
                lease.resident.batcher.cancel(jobs)

    def _styled(self, request: Request) -> tuple[Source, str, str]:
        """The model, what it is told, and what it is told to avoid."""
        source = self.sources.find(request.model or self.default)
        if request.style is None:
            return source, request.prompt, request.negative
        base = self.pool.base_of(source)
        style = styles.find_style(request.style, self.settings.styles, base.folder)
        prompt, negative = style.apply(request.prompt, request.negative)
        if style.adapter is not None:
            adapter = self.sources.find(style.adapter)
            if source.base is not None or adapter.base is None or self.pool.base_of(adapter).key != base.key:
                raise InvalidRequest(
                    f"the style {request.style} is an adapter, {style.adapter}, that does not go with {source.name}",
                    param="style",
                )
            source = adapter
        return source, prompt, negative

    def _prepare(self, base: Loaded, request: Request) -> tuple[Plan, Start | None, Callable[[Any], Image.Image]]:
        """Check what can be checked before; in a thread, since pictures are scaled."""
        if request.negative and not base.family.negative:
            raise InvalidRequest(f"{base.source.name} knows no negative prompt", param="negative_prompt")
        if (request.steps or 1) > self.settings.max_steps:
            raise InvalidRequest(f"steps: at most {self.settings.max_steps}", param="steps")
        most, edit = self.settings.max_side, request.edit
        if request.size:
            sizes.check(*request.size, most)
        own = sizes.near(*edit.picture.size, most) if edit else (base.defaults.width, base.defaults.height)
        plan = sizes.plan(*(request.size or own), base.family.multiple, base.defaults.largest)
        device = loading.choose_device(self.settings)
        what = f"a picture of {plan.width}x{plan.height}"
        memory.require(loading.working_bytes(base, plan.made_width, plan.made_height), device, what)
        if edit is None:
            return plan, None, lambda made: base.enlarge(made, plan.width, plan.height)
        mask = edits.changing(edit)

        def complete(made: Image.Image) -> Image.Image:
            return edits.put_back(base.enlarge(made, plan.width, plan.height), edit, mask, plan)

        return plan, edits.start(edit, mask, plan), complete

    def _job(
        self,
        lease: Lease,
        request: Request,
        plan: Plan,
        start: Start | None,
        told: tuple[str, str],
        seed: int,
        emit: Callable[[Progress], None],
    ) -> Job:
        base = lease.resident.base
        defaults = base.defaults
        prompt, negative = told
        guidance = defaults.guidance if request.guidance is None else request.guidance
        own = defaults.width * defaults.height
        return Job(
            Wanted(prompt, negative or defaults.negative, guidance, plan.made_width, plan.made_height),
            request.steps or defaults.steps,
            defaults.rescale,
            seed,
            emit,
            start=start,
            previews=request.previews,
            adapter=lease.adapter,
            cost=max(1.0, plan.made_width * plan.made_height / own),
        )

    def _emitter(self, made: "asyncio.Queue[tuple[int, Progress]]", index: int) -> Callable[[Progress], None]:
        def emit(progress: Progress) -> None:  # in the batcher's thread
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(made.put_nowait, (index, progress))

        return emit

    async def look(self, name: str) -> tuple[Source, Facts, bool]:
        """A model by name: where it is, what it is, whether it is loaded."""
        source = self.sources.find(name)
        facts = await asyncio.to_thread(loading.look, self.pool.base_of(source), self.settings)
        return source, facts, self.pool.is_loaded(source)

    async def load(self, name: str) -> None:
        """Bring a model into memory now."""
        async with self.pool.lease(self.sources.find(name)):
            pass

    async def _sweep(self) -> None:
        while self.settings.idle_s:
            await asyncio.sleep(min(SWEEP_S, self.settings.idle_s / 4))
            await self.pool.sweep()
