"""Which models are in memory, each with or without an adapter merged into it.

A model answers several requests in turns: one piece of work each (a sentence, a window of a recording), in the order in
which they ask, so that nobody waits for the end of somebody's book.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from ml_audio import loading
from ml_audio.settings import AudioSettings
from ml_audio.sources import Source, Sources
from shared.errors import Overloaded
from shared.residents import Residents, Use
from shared.training import memory

T = TypeVar("T")
RETRY_AFTER_S = 2.0


@dataclass
class Resident:
    """A model in memory, with or without an adapter merged into it."""

    source: Source
    facts: loading.Facts
    model: Any
    slots: asyncio.Semaphore
    stopped: threading.Event
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    use: Use = field(default_factory=Use)

    @property
    def size_bytes(self) -> int:
        return self.facts.size_bytes

    async def close(self) -> None:
        self.model = None

    async def run(self, work: Callable[[], T]) -> T:
        """`work` in a thread, alone with the model. When the caller leaves, it ends at the model's next layer."""
        async with self.turn:
            self.stopped.clear()
            task = asyncio.ensure_future(asyncio.to_thread(_inferred, work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                self.stopped.set()
                await asyncio.wait({task})  # the model is free when its thread is
                task.exception()
                raise


class Interrupted(Exception):
    """Nobody waits for what the model is at."""


def interruptible(model: torch.nn.Module) -> threading.Event:
    """Once the event is set, the next layer that is reached raises Interrupted: in transformers' `generate` as in a
    vocoder, none of which asks anybody whether to go on."""
    stopped = threading.Event()

    def check(*_: object) -> None:
        if stopped.is_set():
            raise Interrupted

    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList):
            for layer in module:
                layer.register_forward_pre_hook(check)
    return stopped


def _inferred(work: Callable[[], T]) -> T:
    with memory.allocating("there is not enough memory for this request"), torch.inference_mode():
        return work()


class Pool:
    def __init__(self, settings: AudioSettings, sources: Sources) -> None:
        self._settings, self._sources = settings, sources
        self._residents = Residents[Resident](memory.open_room(settings))

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents)

    def is_loaded(self, source: Source) -> bool:
        return source in self._residents

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Resident]:
        """The model behind `source` and one of its slots. NotFound, InvalidRequest, Overloaded or OutOfMemory."""
        resident = await self.load(source)
        if resident.use.leases >= self._settings.slots + self._settings.queue_size:
            raise Overloaded(f"{source.name} has no room for another request", retry_after_s=RETRY_AFTER_S)
        with resident.use.lease():
            async with resident.slots:
                yield resident

    async def load(self, source: Source) -> Resident:
        """NotFound, InvalidRequest or OutOfMemory when it cannot be."""
        return await self._residents.get(source, self._load)

    async def _load(self, source: Source) -> Resident:
        base = self._sources.base_of(source)
        facts = await asyncio.to_thread(loading.look, base.folder, base.name, self._settings)
        await self._residents.forget_older(source)
        await self._residents.make_room(facts.size_bytes, source.name)
        adapter = None if source is base else source
        model = await asyncio.to_thread(loading.load, base, adapter, self._settings)
        slots = asyncio.Semaphore(self._settings.slots)
        return Resident(source, facts, model, slots, interruptible(model.model))

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        await self._residents.sweep(self._settings.idle_s)
