"""Which models are in memory, each with its thread; adapters are switched within it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ml_image import loading
from ml_image.batcher import Batcher
from ml_image.loading import Loaded
from ml_image.painter import PipelinePainter
from ml_image.settings import ImageSettings
from ml_image.sources import Source, Sources
from shared.residents import Residents, Use
from shared.training import memory


@dataclass
class Resident:
    """A base model in memory with its thread."""

    base: Loaded
    painter: PipelinePainter
    batcher: Batcher
    use: Use = field(default_factory=Use)

    @property
    def source(self) -> Source:
        return self.base.source

    @property
    def size_bytes(self) -> int:
        return self.base.facts.size_bytes

    async def close(self) -> None:
        await asyncio.to_thread(self.batcher.close)


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
        self._residents = Residents[Resident](memory.open_room(settings))

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents)

    def base_of(self, source: Source) -> Source:
        """`source`, or what it is an adapter of. Raises NotFound or InvalidRequest."""
        return self._sources.base_of(source)

    def is_loaded(self, source: Source) -> bool:
        return self.base_of(source) in self._residents

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Lease]:
        """The model behind `source`, loaded if need be. NotFound, InvalidRequest or OutOfMemory when it cannot be."""
        async with self._residents.lease(self.base_of(source), self._load) as resident:
            yield Lease(source, resident)

    async def _load(self, source: Source) -> Resident:
        facts = await asyncio.to_thread(loading.look, source, self._settings)
        await self._residents.make_room(facts.size_bytes, source.name)
        with memory.allocating("the model does not fit into memory"):
            loaded = await asyncio.to_thread(loading.load, source, self._settings)
        painter = PipelinePainter(loaded, self._settings.adapters)
        batcher = Batcher(source.name, painter, slots=self._settings.slots, queue_size=self._settings.queue_size)
        return Resident(loaded, painter, batcher)

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        await self._residents.sweep(self._settings.idle_s)

    async def close(self) -> None:
        await self._residents.close()
