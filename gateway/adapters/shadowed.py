"""Two providers joined: the second gets a share of the same requests, and both answers are kept to be compared.

The first's answer is never delayed or failed by it: the second is asked in a task of its own, at most MAX_RUNNING at
once (one more is not compared), and the row is written in a thread.
"""

import asyncio
import logging
import random
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from gateway.adapters.pair import Pair, T
from gateway.keys import CALLER
from gateway.modality import SPENT, Account, Catalog, Spent
from gateway.prices import Prices
from gateway.shadow_store import ShadowStore, Side
from gateway.text import Body
from shared.errors import ServiceError
from shared.instrument import add_header

MAX_RUNNING = 8
MAX_REQUEST_BYTES = 128 << 10
CLOSE_S = 5.0
"""How long the gateway's end waits for comparisons that run."""
HEADER = "x-shadow-id"
NOT_SENT = ("stream", "stream_options", "store", "metadata")
log = logging.getLogger(__name__)
Told = tuple[str | None, float | None]
"""An answer as it is kept, and its score (0 to 1) where something measures it."""


@dataclass(frozen=True)
class Taken:
    """An answer: JSON, or the events of a stream."""

    answer: bytes
    spent: Spent
    seconds: float
    error: str | None = None
    """The code of the failure, when there is no answer."""


class Shadowed(Pair[T]):
    """Answers are `first`'s. `rate` is the share of the requests that `second` gets too.

    A client that leaves cancels neither: the first's answer is then read to its end for the record.
    """

    def __init__(self, first: T, second: T, rate: float, store: ShadowStore, prices: Prices) -> None:
        super().__init__(first, second)
        self.rate = rate
        self.store = store
        self.prices = prices
        self.running: set[asyncio.Task[None]] = set()

    @property
    def models(self) -> Catalog:
        return self.first.models

    def account_to(self, account: Account) -> None:
        self.first.account_to(account)  # what the second costs stands in the record; no key asked for it

    async def resolve(self, name: object) -> str:
        return await self.first.resolve(name)

    async def close(self) -> None:
        if self.running:
            await asyncio.wait(self.running, timeout=CLOSE_S)
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        await super().close()
        self.store.close()

    def sampled(self, body: Body) -> bytes | None:
        """The request as it will be kept, if it is one to compare."""
        if random.random() >= self.rate or len(self.running) >= MAX_RUNNING:
            return None
        try:
            request = orjson.dumps(body)
        except orjson.JSONEncodeError:  # the first one refuses it
            return None
        return request if len(request) <= MAX_REQUEST_BYTES else None

    async def answer_both(
        self,
        path: str,
        body: Body,
        request: bytes,
        answering: Awaitable[bytes],
        ask: Callable[[Body], Awaitable[bytes]],
        tell: Callable[[bytes], Told],
    ) -> bytes:
        """The first's answer, which is `answering`, while it is compared."""
        first = asyncio.create_task(take(answering))
        self.compare(path, body, request, first, ask, tell)
        found = await asyncio.shield(first)
        SPENT.set(found.spent)
        return found.answer

    def compare(
        self,
        path: str,
        body: Body,
        request: bytes,
        first: asyncio.Task[Taken],
        ask: Callable[[Body], Awaitable[bytes]],
        tell: Callable[[bytes], Told],
    ) -> None:
        """Keep what `first` answers beside what the second says to `ask(body)`; `tell` is called in a thread."""
        id = f"shadow_{uuid.uuid4().hex}"
        add_header(HEADER, id)
        task = asyncio.create_task(self._keep(id, path, request, first, self._ask(body, ask), tell))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _keep(
        self,
        id: str,
        path: str,
        request: bytes,
        first: asyncio.Task[Taken],
        asked: Awaitable[Taken],
        tell: Callable[[bytes], Told],
    ) -> None:
        second = await asked
        await asyncio.wait([first])
        if first.cancelled() or first.exception() is not None:
            return  # without an answer there is nothing to compare
        taken = first.result()
        if taken.spent.provider == second.spent.provider:  # a fallback stood in for the first
            return
        try:
            await asyncio.to_thread(self._write, id, CALLER.get().id, path, request, taken, second, tell)
        except (sqlite3.Error, ServiceError):
            log.exception("a shadow record could not be written")

    async def _ask(self, body: Body, ask: Callable[[Body], Awaitable[bytes]]) -> Taken:
        asked = {name: value for name, value in body.items() if name not in NOT_SENT}
        began = time.perf_counter()
        try:
            return await take(ask(asked))
        except ServiceError as error:
            nothing = Spent(self.second.provider, str(body.get("model") or self.second.default), 0, 0)
            return Taken(b"", nothing, time.perf_counter() - began, error.code or str(error.status))

    def _write(
        self,
        id: str,
        key_id: str,
        path: str,
        request: bytes,
        first: Taken,
        second: Taken,
        tell: Callable[[bytes], Told],
    ) -> None:
        self.store.add(id, key_id, path, request, self._side(first, tell), self._side(second, tell))

    def _side(self, taken: Taken, tell: Callable[[bytes], Told]) -> Side:
        answer, score = (None, None) if taken.error else tell(taken.answer)
        return Side(
            provider=taken.spent.provider,
            model=taken.spent.model,
            answer=answer,
            latency_ms=round(taken.seconds * 1000, 1),
            cost_usd=None if answer is None else self.prices.costs(taken.spent)[0],
            score=score,
            error=taken.error,
        )


async def take(answering: Awaitable[bytes]) -> Taken:
    began = time.perf_counter()
    answer = await answering
    return taken(answer, began)


def taken(answer: bytes, began: float) -> Taken:
    spent = SPENT.get()
    assert spent is not None, "whoever answers says what it cost"
    return Taken(answer, spent, time.perf_counter() - began)
