"""Which models are in memory: loaded on demand and once, least recently used out first, idle ones out by themselves.

All of it runs in the event loop; only reading weights happens in threads. Whoever uses a model holds a lease on it, and
what is leased never leaves.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
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
from shared.errors import InvalidRequest, OutOfMemory
from shared.training import adapters, memory

log = logging.getLogger(__name__)

Deliver = Callable[[list[tuple[Job, Delta]]], None]


@dataclass
class Adapter:
    source: Source
    forward: Forward
    size_bytes: int
    leases: int = 0
    used_at: float = field(default_factory=time.monotonic)


@dataclass
class Resident:
    """A base model in memory with its thread and its adapters."""

    base: Loaded
    batcher: Batcher
    forward: Forward
    adapters: dict[str, Adapter] = field(default_factory=dict[str, Adapter])
    shared_model: Any = None
    """The model wrapped by peft, once an adapter of a base that is not copied came."""
    leases: int = 0
    used_at: float = field(default_factory=time.monotonic)

    @property
    def size_bytes(self) -> int:
        return self.base.facts.size_bytes + sum(adapter.size_bytes for adapter in self.adapters.values())


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
        self._residents: dict[str, Resident] = {}
        self._loading: dict[str, asyncio.Task[Any]] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def residents(self) -> list[Resident]:
        return list(self._residents.values())

    def is_loaded(self, source: Source) -> bool:
        if source.base is None:
            return source.key in self._residents
        return any(source.key in resident.adapters for resident in self.residents)

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Lease]:
        """The model behind `source`, loaded if need be. NotFound, InvalidRequest or OutOfMemory when it cannot be."""
        base = source if source.base is None else self._sources.find(source.base)
        if base.base is not None:
            raise InvalidRequest(
                f"{source.name} is an adapter of {base.name}, which is an adapter itself", param="model"
            )
        resident = await self._once(base.key, self._residents, lambda: self._load_base(base))
        resident.leases += 1
        adapter: Adapter | None = None
        try:
            if source is not base:
                load = lambda: self._load_adapter(resident, source)  # noqa: E731
                leased: Adapter = await self._once(source.key, resident.adapters, load)
                leased.leases += 1
                adapter = leased
            if adapter:
                yield Lease(source, resident, source.key, adapter.forward)
            else:
                yield Lease(source, resident, "", resident.forward)
        finally:
            now = time.monotonic()
            resident.leases, resident.used_at = resident.leases - 1, now
            if adapter:
                adapter.leases, adapter.used_at = adapter.leases - 1, now

    async def _once(self, key: str, there: dict[str, Any], load: Callable[[], Any]) -> Any:
        """`there[key]`, loaded by whoever asks first; the others wait for the same load."""
        while key not in there:
            task = self._loading.get(key)
            if task is None:
                task = self._loading[key] = asyncio.create_task(load())
                task.add_done_callback(lambda _: self._loading.pop(key, None))
            await asyncio.shield(task)  # a caller that leaves does not stop it for the others
        return there[key]

    async def _load_base(self, source: Source) -> None:
        async with self._one_at_a_time:
            facts = await asyncio.to_thread(loading.look, source, self._settings)
            await self._free(facts.size_bytes, source)
            started = time.monotonic()
            loaded = await _to_thread(loading.load, source, self._settings)
            batcher = Batcher(
                source.name,
                loaded.new_cache,
                slots=self._settings.slots,
                queue_size=self._settings.queue_size,
                prefill_tokens=self._settings.prefill_tokens,
                deliver=self._deliver,
            )
            forward = forward_of(loaded.model)
            self._residents[source.key] = Resident(loaded, batcher, forward)
            log.info("loaded %s in %.1f s", source.name, time.monotonic() - started)

    async def _load_adapter(self, resident: Resident, source: Source) -> None:
        async with self._one_at_a_time:
            for key, old in list(resident.adapters.items()):  # an older version of this name, no longer in use
                if old.source.name == source.name and not old.leases:
                    del resident.adapters[key]
            facts = resident.base.facts
            copied = loading.is_copied(facts, self._settings)
            size_bytes = facts.size_bytes if copied else memory.weights_bytes(source.folder)
            resident.leases += 1
            try:
                await self._free(size_bytes, source)
                make = self._copied if copied else self._switched
                forward = await _to_thread(make, resident, source)
            finally:
                resident.leases -= 1
            resident.adapters[source.key] = Adapter(source, forward, size_bytes)
            log.info("loaded adapter %s", source.name)

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
            for adapter in resident.adapters.values():
                adapter.forward = _activated(adapters.switch(model, adapter.source.folder), plain)
            made.append(_activated(adapters.switch(model, source.folder), plain))

        resident.batcher.call(attach)
        return made[0]

    async def _free(self, size_bytes: int, source: Source) -> None:
        """Unload what nobody uses, oldest first, until `size_bytes` more fit. OutOfMemory if they never do."""
        device = loading.choose_device(self._settings)
        budget = self._settings.memory_mb * 2**20
        while True:
            free = memory.available_bytes(device) - memory.RESERVE_BYTES
            if budget:
                free = min(free, budget - sum(resident.size_bytes for resident in self.residents))
            if size_bytes <= free:
                return
            if self._drop_idle_adapter():
                continue
            idle = [resident for resident in self.residents if not resident.leases]
            if not idle:
                raise OutOfMemory(
                    f"{source.name} needs {size_bytes / 2**20:,.0f} MB and {max(free, 0) / 2**20:,.0f} MB are free"
                )
            await self._unload(min(idle, key=lambda resident: resident.used_at))

    def _drop_idle_adapter(self) -> bool:
        """Forget the merged copy that was used longest ago; False when there is none to forget."""
        copies = [
            (adapter.used_at, key, resident)
            for resident in self.residents
            if resident.shared_model is None
            for key, adapter in resident.adapters.items()
            if not adapter.leases
        ]
        if not copies:
            return False
        _, key, resident = min(copies, key=lambda copy: copy[0])
        del resident.adapters[key]
        gc.collect()
        return True

    async def _unload(self, resident: Resident) -> None:
        del self._residents[resident.base.source.key]
        await asyncio.to_thread(resident.batcher.close)
        log.info("unloaded %s", resident.base.source.name)
        gc.collect()

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        since = time.monotonic() - self._settings.idle_s
        for resident in self.residents:
            for key, adapter in list(resident.adapters.items()):
                if not adapter.leases and adapter.used_at < since and not resident.shared_model:
                    del resident.adapters[key]
            if not resident.leases and resident.used_at < since:
                await self._unload(resident)

    async def close(self) -> None:
        for resident in self.residents:
            await self._unload(resident)


def _activated(activate: Callable[[], None], forward: Forward) -> Forward:
    def run(ids: Tensor, place: Place, cache: RowCache, keep: int = 1) -> Tensor:
        activate()
        return forward(ids, place, cache, keep)

    return run


async def _to_thread(function: Callable[..., Any], *args: Any) -> Any:
    """As asyncio.to_thread; a failed allocation becomes OutOfMemory."""
    try:
        return await asyncio.to_thread(function, *args)
    except (MemoryError, RuntimeError) as error:
        if memory.is_out_of_memory(error):
            raise OutOfMemory("the model does not fit into memory") from error
        raise
