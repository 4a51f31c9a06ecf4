"""Which models are in memory: loaded on demand and once, least recently used out first, idle ones out by themselves.

All of it runs in the event loop; only reading weights happens in threads. Whoever uses a model holds a lease on it, and
what is leased never leaves.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ml_image import loading
from ml_image.batcher import Batcher
from ml_image.loading import Loaded
from ml_image.painter import PipelinePainter
from ml_image.settings import ImageSettings
from ml_image.sources import Source, Sources
from shared.errors import InvalidRequest, OutOfMemory
from shared.training import memory

log = logging.getLogger(__name__)


@dataclass
class Resident:
    """A base model in memory with its thread."""

    base: Loaded
    painter: PipelinePainter
    batcher: Batcher
    leases: int = 0
    used_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Lease:
    """What one request runs on."""

    source: Source
    resident: Resident

    @property
    def adapter(self) -> Source | None:
        return self.source if self.source.base else None


class Pool:
    def __init__(self, settings: ImageSettings, sources: Sources) -> None:
        self._settings, self._sources = settings, sources
        self._residents: dict[str, Resident] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents.values())

    def base_of(self, source: Source) -> Source:
        """`source`, or what it is an adapter of. Raises NotFound or InvalidRequest."""
        base = source if source.base is None else self._sources.find(source.base)
        if base.base is not None:
            raise InvalidRequest(
                f"{source.name} is an adapter of {base.name}, which is an adapter itself", param="model"
            )
        return base

    def is_loaded(self, source: Source) -> bool:
        return self.base_of(source).key in self._residents

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Lease]:
        """The model behind `source`, loaded if need be. NotFound, InvalidRequest or OutOfMemory when it cannot be."""
        base = self.base_of(source)
        while base.key not in self._residents:
            task = self._loading.get(base.key)
            if task is None:
                task = self._loading[base.key] = asyncio.create_task(self._load(base))
                task.add_done_callback(lambda _: self._loading.pop(base.key, None))
            await asyncio.shield(task)  # a caller that leaves does not stop it for the others
        resident = self._residents[base.key]
        resident.leases += 1
        try:
            yield Lease(source, resident)
        finally:
            resident.leases, resident.used_at = resident.leases - 1, time.monotonic()

    async def _load(self, source: Source) -> None:
        async with self._one_at_a_time:
            facts = await asyncio.to_thread(loading.look, source, self._settings)
            await self._free(facts.size_bytes, source)
            started = time.monotonic()
            try:
                loaded = await asyncio.to_thread(loading.load, source, self._settings)
            except (MemoryError, RuntimeError) as error:
                if memory.is_out_of_memory(error):
                    raise OutOfMemory("the model does not fit into memory") from error
                raise
            painter = PipelinePainter(loaded, self._settings.adapters)
            batcher = Batcher(source.name, painter, slots=self._settings.slots, queue_size=self._settings.queue_size)
            self._residents[source.key] = Resident(loaded, painter, batcher)
            log.info("loaded %s in %.1f s", source.name, time.monotonic() - started)

    async def _free(self, size_bytes: int, source: Source) -> None:
        """Unload what nobody uses, oldest first, until `size_bytes` more fit. OutOfMemory if they never do."""
        device = loading.choose_device(self._settings)
        budget = self._settings.memory_mb * 2**20
        while True:
            free = memory.available_bytes(device) - memory.RESERVE_BYTES
            if budget:
                free = min(free, budget - sum(resident.base.facts.size_bytes for resident in self.residents))
            if size_bytes <= free:
                return
            idle = [resident for resident in self.residents if not resident.leases]
            if not idle:
                raise OutOfMemory(
                    f"{source.name} needs {size_bytes / 2**20:,.0f} MB and {max(free, 0) / 2**20:,.0f} MB are free"
                )
            await self._unload(min(idle, key=lambda resident: resident.used_at))

    async def _unload(self, resident: Resident) -> None:
        del self._residents[resident.base.source.key]
        await asyncio.to_thread(resident.batcher.close)
        log.info("unloaded %s", resident.base.source.name)
        gc.collect()

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        since = time.monotonic() - self._settings.idle_s
        for resident in self.residents:
            if not resident.leases and resident.used_at < since:
                await self._unload(resident)

    async def close(self) -> None:
        for resident in self.residents:
            await self._unload(resident)
