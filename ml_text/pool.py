"""Which models are in memory, each with its thread, and which adapters each has: merged into a copy, or switched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor

from ml_text import catalog, loading
from ml_text.batcher import Batcher
from ml_text.forward import Forward, RowCache
from ml_text.job import Delta, Job
from ml_text.loading import Loaded
from ml_text.runners import forward_of
from ml_text.settings import TextSettings
from ml_text.slots import Place
from ml_text.sources import Source, Sources
from shared.residents import Residents, Use, oldest_idle
from shared.training import adapters, memory

Deliver = Callable[[list[tuple[Job, Delta]]], None]


@dataclass
class Adapter:
    source: Source
    forward: Forward
    size_bytes: int
    use: Use = field(default_factory=Use)

    async def close(self) -> None:
        """It runs nothing of its own."""


@dataclass
class Resident:
    """A base model in memory with its thread and its adapters."""

    base: Loaded
    batcher: Batcher
    forward: Forward
    adapters: Residents[Adapter]
    shared_model: Any = None
    """The model wrapped by peft, once an adapter of a base that is not copied came."""
    use: Use = field(default_factory=Use)

    @property
    def source(self) -> Source:
        return self.base.source

    @property
    def size_bytes(self) -> int:
        return self.base.facts.size_bytes + self.adapters.size_bytes

    async def close(self) -> None:
        await asyncio.to_thread(self.batcher.close)


@dataclass(frozen=True)
class Lease:
    """What one request runs on."""

    source: Source
    resident: Resident
    group: str
    forward: Forward


class Pool:
    def __init__(self, settings: TextSettings, sources: Sources, deliver: Deliver) -> None:
        self._settings, self._sources, self._deliver = settings, sources, deliver
        self._room = memory.open_room(settings)
        self._residents = Residents[Resident](self._room)

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents)

    def is_loaded(self, source: Source) -> bool:
        if source.base is None:
            return source in self._residents
        return any(source in resident.adapters for resident in self._residents)

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Lease]:
        """The model behind `source`, loaded if need be. NotFound, InvalidRequest or OutOfMemory when it cannot be."""
        base = self._sources.base_of(source)
        async with self._residents.lease(base, self._load) as resident:
            if source is base:
                yield Lease(source, resident, "", resident.forward)
                return
            async with resident.adapters.lease(source, partial(self._load_adapter, resident)) as adapter:
                yield Lease(source, resident, source.key, adapter.forward)

    async def _load(self, source: Source) -> Resident:
        facts = await asyncio.to_thread(loading.look, source, self._settings)
        await self._residents.make_room(facts.size_bytes, source.name, self._drop_idle_adapter)
        with memory.allocating("the model does not fit into memory"):
            loaded = await asyncio.to_thread(loading.load, source, self._settings)
        batcher = Batcher(
            source.name,
            loaded.new_cache,
            slots=self._settings.slots,
            queue_size=self._settings.queue_size,
            prefill_tokens=self._settings.prefill_tokens,
            deliver=self._deliver,
        )
        return Resident(loaded, batcher, forward_of(loaded.model), Residents(self._room))

    async def _load_adapter(self, resident: Resident, source: Source) -> Adapter:
        await resident.adapters.forget_older(source)
        facts = resident.base.facts
        copied = loading.is_copied(facts, self._settings)
        size_bytes = facts.size_bytes if copied else memory.weights_bytes(source.folder)
        with resident.use.lease():
            await self._residents.make_room(size_bytes, source.name, self._drop_idle_adapter)
            make = self._copied if copied else self._switched
            with memory.allocating("the model does not fit into memory"):
                forward = await asyncio.to_thread(make, resident, source)
        return Adapter(source, forward, size_bytes)

    def _copied(self, resident: Resident, source: Source) -> Forward:
        facts, base = resident.base.facts, resident.base.source
        adapters.check_files(source.folder, source.name)
        model = catalog.load_model(base.folder, facts.dtype, None, str(resident.base.device))
        model = adapters.merge(model, source.folder, source.name)
        if resident.base.packed:
            loading.prepack.prepack(model, facts.dtype)
        return forward_of(model)

    def _switched(self, resident: Resident, source: Source) -> Forward:
        """In the batcher's thread, between two steps: the base's layers are replaced by peft's."""
        made: list[Forward] = []

        def attach() -> None:
            model = adapters.attach(resident.shared_model or resident.base.model, source.folder, source.name)
            plain = forward_of(model.get_base_model())
            if resident.shared_model is None:
                resident.shared_model = model
            # every forward pass over the shared layers says whose they are to be
            resident.forward = _activated(adapters.switch(model, None), plain)
            for adapter in resident.adapters:
                adapter.forward = _activated(adapters.switch(model, adapter.source.folder), plain)
            made.append(_activated(adapters.switch(model, source.folder), plain))

        resident.batcher.call(attach)
        return made[0]

    async def _drop_idle_adapter(self) -> bool:
        """Forget the merged copy that was used longest ago; False when there is none to forget."""
        copying = [resident for resident in self._residents if resident.shared_model is None]
        adapter = oldest_idle(adapter for resident in copying for adapter in resident.adapters)
        if adapter is None:
            return False
        for resident in copying:
            await resident.adapters.unload(adapter)
        return True

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        for resident in self._residents:
            if resident.shared_model is None:
                await resident.adapters.sweep(self._settings.idle_s)
        await self._residents.sweep(self._settings.idle_s)

    async def close(self) -> None:
        await self._residents.close()


def _activated(activate: Callable[[], None], forward: Forward) -> Forward:
    def run(ids: Tensor, place: Place, cache: RowCache, keep: int = 1) -> Tensor:
        activate()
        return forward(ids, place, cache, keep)

    return run
