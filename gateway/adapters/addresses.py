"""Several addresses of one service: the least busy one that lives is asked; the dead are looked after meanwhile."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

CHECK_S = 1.0
"""Between two looks at every address: how long a dead one may go unnoticed, or a living one unused."""
log = logging.getLogger(__name__)


class Address:
    __slots__ = ("root", "running", "up")

    def __init__(self, root: str) -> None:
        self.root = root
        self.running = 0
        """Requests that it is answering now, as far as we sent them."""
        self.up = True

    def __str__(self) -> str:
        """Without a password that may stand in it."""
        return urlsplit(self.root).netloc.rpartition("@")[2]


class Addresses:
    """`alive` says whether the service at a root answers; it is asked in the background once `order` was called."""

    def __init__(self, roots: Iterable[str], alive: Callable[[str], Awaitable[bool]]) -> None:
        self.all = [Address(root) for root in roots]
        self.alive = alive
        self.turn = 0
        self.watching: asyncio.Task[None] | None = None

    def order(self) -> list[Address]:
        """Whom to ask, and whom when that fails: the living before the dead, the least busy first, equals in turn."""
        if len(self.all) == 1:
            return self.all
        if self.watching is None:  # a context of its own: this is no part of the request that happens to be the first
            self.watching = asyncio.create_task(self._watch(), context=contextvars.Context())
        self.turn = (self.turn + 1) % len(self.all)
        turned = self.all[self.turn :] + self.all[: self.turn]
        return sorted(turned, key=lambda address: (not address.up, address.running))

    def lose(self, address: Address) -> None:
        """It refused a connection. Of one alone nothing is noted: it is asked again each time."""
        if len(self.all) > 1:
            self._mark(address, up=False)

    async def close(self) -> None:
        if self.watching is not None:
            self.watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.watching
            self.watching = None

    async def _watch(self) -> None:
        while True:
            await asyncio.gather(*(self._look(address) for address in self.all))
            await asyncio.sleep(CHECK_S)

    async def _look(self, address: Address) -> None:
        self._mark(address, up=await self.alive(address.root))

    def _mark(self, address: Address, up: bool) -> None:
        if address.up != up:
            address.up = up
            log.warning("%s is %s", address, "back" if up else "down")
