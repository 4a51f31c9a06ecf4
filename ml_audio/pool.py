"""Which models are in memory: loaded on demand and once, least recently used out first, idle ones out by themselves.

A model answers several requests in turns: one piece of work each (a sentence, a window of a recording), in the order in
which they ask, so that nobody waits for the end of somebody's book.
"""

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from ml_audio import loading
from ml_audio.settings import AudioSettings
from ml_audio.sources import Source, Sources
from shared.errors import InvalidRequest, OutOfMemory, Overloaded
from shared.training import memory

log = logging.getLogger(__name__)
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
    leases: int = 0
    running: int = 0
    done: int = 0
    """Pieces of work."""
    used_at: float = field(default_factory=time.monotonic)

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
            finally:
                self.done += 1


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
    try:
        with torch.inference_mode():
            return work()
    except (MemoryError, RuntimeError) as error:
        if memory.is_out_of_memory(error):
            raise OutOfMemory("there is not enough memory for this request") from error
        raise


class Pool:
    def __init__(self, settings: AudioSettings, sources: Sources) -> None:
        self._settings, self._sources = settings, sources
        self._residents: dict[str, Resident] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents.values())

    def is_loaded(self, source: Source) -> bool:
        return source.key in self._residents

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Resident]:
        """The model behind `source` and one of its slots. NotFound, InvalidRequest, Overloaded or OutOfMemory."""
        resident = await self._get(source)
        if resident.leases >= self._settings.slots + self._settings.queue_size:
            raise Overloaded(f"{source.name} has no room for another request", retry_after_s=RETRY_AFTER_S)
        resident.leases += 1
        try:
            async with resident.slots:
                resident.running += 1
                try:
                    yield resident
                finally:
                    resident.running -= 1
        finally:
            resident.leases, resident.used_at = resident.leases - 1, time.monotonic()

    def resident(self, source: Source) -> Resident | None:
        return self._residents.get(source.key)

    async def load(self, source: Source) -> None:
        await self._get(source)

    async def _get(self, source: Source) -> Resident:
        while source.key not in self._residents:
            task = self._loading.get(source.key)
            if task is None:
                task = self._loading[source.key] = asyncio.create_task(self._load(source))
                task.add_done_callback(lambda _: self._loading.pop(source.key, None))
            await asyncio.shield(task)  # a caller that leaves does not stop it for the others
        return self._residents[source.key]

    async def _load(self, source: Source) -> None:
        async with self._one_at_a_time:
            base = source if source.base is None else self._sources.find(source.base)
            if base.base is not None:
                raise InvalidRequest(f"{source.name} is an adapter of {base.name}, an adapter itself", param="model")
            facts = await asyncio.to_thread(loading.look, base.folder, base.name, self._settings)
            self._forget_older(source)
            self._free(facts.size_bytes, source)
            started = time.monotonic()
            adapter = None if source is base else source
            model = await asyncio.to_thread(loading.load, base, adapter, self._settings)
            slots = asyncio.Semaphore(self._settings.slots)
            self._residents[source.key] = Resident(source, facts, model, slots, interruptible(model.model))
            log.info("loaded %s in %.1f s", source.name, time.monotonic() - started)

    def _forget_older(self, source: Source) -> None:
        """Versions of this name that nobody uses any more."""
        for resident in self.residents:
            if resident.source.name == source.name and not resident.leases:
                self._unload(resident)

    def _free(self, size_bytes: int, source: Source) -> None:
        """Unload what nobody uses, oldest first, until `size_bytes` more fit. OutOfMemory if they never do."""
        device = loading.choose_device(self._settings)
        budget = self._settings.memory_mb * 2**20
        while True:
            free = memory.available_bytes(device) - memory.RESERVE_BYTES
            if budget:
                free = min(free, budget - sum(resident.facts.size_bytes for resident in self.residents))
            if size_bytes <= free:
                return
            idle = [resident for resident in self.residents if not resident.leases]
            if not idle:
                raise OutOfMemory(
                    f"{source.name} needs {size_bytes / 2**20:,.0f} MB and {max(free, 0) / 2**20:,.0f} MB are free"
                )
            self._unload(min(idle, key=lambda resident: resident.used_at))

    def _unload(self, resident: Resident) -> None:
        del self._residents[resident.source.key]
        log.info("unloaded %s", resident.source.name)
        resident.model = None
        gc.collect()

    def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        since = time.monotonic() - self._settings.idle_s
        for resident in self.residents:
            if not resident.leases and resident.used_at < since:
                self._unload(resident)
