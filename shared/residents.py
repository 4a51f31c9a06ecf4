"""What is in memory: loaded on demand and once, out when it is idle or when room is needed, never while it is used.

All of it runs in the event loop; only reading weights happens in threads. Whoever uses a model holds a lease on it.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared.errors import OutOfMemory
from shared.sources import Source

log = logging.getLogger(__name__)


@dataclass
class Use:
    """How many use a thing now, and when one last did."""

    leases: int = 0
    used_at: float = field(default_factory=time.monotonic)

    @contextlib.contextmanager
    def lease(self) -> Generator[None]:
        self.leases += 1
        try:
            yield
        finally:
            self.leases, self.used_at = self.leases - 1, time.monotonic()


class Resident(Protocol):
    """A model in memory, or an adapter."""

    @property
    def source(self) -> Source: ...

    @property
    def use(self) -> Use: ...

    @property
    def size_bytes(self) -> int: ...

    async def close(self) -> None:
        """Stop what it runs; it is forgotten then."""
        ...


@dataclass(frozen=True)
class Room:
    """The memory that models share. They are loaded one at a time, so that each knows what is free."""

    free_bytes: Callable[[], int]
    budget_bytes: int = 0
    """The most that they take together; 0: what is free."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


R = TypeVar("R", bound=Resident)
Load = Callable[[Source], Awaitable[R]]


def oldest_idle(residents: Iterable[R]) -> R | None:
    """What nobody uses now and nobody used for longest."""
    idle = (resident for resident in residents if not resident.use.leases)
    return min(idle, key=lambda resident: resident.use.used_at, default=None)


async def nothing_else() -> bool:
    return False


class Residents(Generic[R]):
    def __init__(self, room: Room) -> None:
        self._room = room
        self._there: dict[str, R] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._there.values()))

    def __contains__(self, source: Source) -> bool:
        return source.key in self._there

    @property
    def size_bytes(self) -> int:
        return sum(resident.size_bytes for resident in self)

    @contextlib.asynccontextmanager
    async def lease(self, source: Source, load: Load[R]) -> AsyncGenerator[R]:
        """What `get` gives, which stays meanwhile."""
        resident = await self.get(source, load)
        with resident.use.lease():
            yield resident

    async def get(self, source: Source, load: Load[R]) -> R:
        """The resident of `source`, loaded by whoever asks first; the others wait for that load. Raises its errors."""
        while source.key not in self._there:
            task = self._loading.get(source.key)
            if task is None:
                task = self._loading[source.key] = asyncio.create_task(self._load(source, load))
                task.add_done_callback(lambda _: self._loading.pop(source.key, None))
            await asyncio.shield(task)  # a caller that leaves does not stop it for the others
        return self._there[source.key]

    async def _load(self, source: Source, load: Load[R]) -> None:
        async with self._room.turn:
            started = time.monotonic()
            self._there[source.key] = await load(source)
            log.info("loaded %s in %.1f s", source.name, time.monotonic() - started)

    async def make_room(self, size_bytes: int, name: str, let_go: Callable[[], Awaitable[bool]] = nothing_else) -> None:
        """Unload what nobody uses, oldest first, until `size_bytes` more fit. OutOfMemory if they never do.

        Before a whole model goes, `let_go` may free something smaller, and says whether it did.
        """
        while size_bytes > (free := self._free_bytes()):
            if await let_go():
                continue
            oldest = oldest_idle(self)
            if oldest is None:
                raise OutOfMemory(
                    f"{name} needs {size_bytes / 2**20:,.0f} MB and {max(free, 0) / 2**20:,.0f} MB are free"
                )
            await self.unload(oldest)

    def _free_bytes(self) -> int:
        free, budget = self._room.free_bytes(), self._room.budget_bytes
        return min(free, budget - self.size_bytes) if budget else free

    async def forget_older(self, source: Source) -> None:
        """Versions of this name that nobody uses any more."""
        for resident in self:
            if resident.source.name == source.name and not resident.use.leases:
                await self.unload(resident)

    async def sweep(self, idle_s: float) -> None:
        """Unload what nobody asked for in `idle_s`."""
        since = time.monotonic() - idle_s
        for resident in self:
            if not resident.use.leases and resident.use.used_at < since:
                await self.unload(resident)

    async def unload(self, resident: R) -> None:
        if self._there.get(resident.source.key) is not resident:
            return  # somebody else was faster
        del self._there[resident.source.key]
        await resident.close()
        log.info("unloaded %s", resident.source.name)
        gc.collect()

    async def close(self) -> None:
        for resident in self:
            await self.unload(resident)
