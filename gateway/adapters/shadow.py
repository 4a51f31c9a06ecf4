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
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.gather import gather
from gateway.keys import CALLER
from gateway.modality import SPENT, Account, Catalog, Spent
from gateway.names import ModelNames
from gateway.prices import Prices
from gateway.shadow_store import ShadowStore, Side
from gateway.text import STREAMED, Body, ProviderText, Text, TextPath
from shared.design import Brief, brief_of
from shared.design.score import overall
from shared.errors import ServiceError, UpstreamFailed
from shared.instrument import add_header

MAX_RUNNING = 8
MAX_REQUEST_BYTES = 128 << 10
MAX_ANSWER_CHARS = 64 << 10
CLOSE_S = 5.0
"""How long the gateway's end waits for comparisons that run."""
HEADER = "x-shadow-id"
NOT_SENT = ("stream", "stream_options", "store", "metadata")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """The first's answer: JSON, or the events of a stream."""

    answer: bytes
    spent: Spent
    seconds: float
    error: str | None = None
    """The code of the failure, when there is no answer."""


class ShadowText:
    """Answers are `first`'s. `rate` is the share of chats and completions that `second` gets too.

    A client that leaves cancels neither: the first's answer is then read to its end for the record.
    """

    def __init__(self, first: Text, second: ProviderText, rate: float, store: ShadowStore, prices: Prices) -> None:
        self.first = first
        self.second = second
        self.rate = rate
        self.store = store
        self.prices = prices
        self.running: set[asyncio.Task[None]] = set()

    @property
    def provider(self) -> str:
        return self.first.provider

    @property
    def models(self) -> Catalog:
        return self.first.models

    @property
    def names(self) -> ModelNames:
        return self.first.names

    @property
    def default(self) -> str | None:
        return self.first.default

    def account_to(self, account: Account) -> None:
        self.first.account_to(account)  # what the second costs stands in the record; no key asked for it

    async def resolve(self, name: object) -> str:
        return await self.first.resolve(name)

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        request = self._sampled(path, body)
        if request is None:
            return await self.first.answer(path, body, raw)
        first = asyncio.create_task(_take(self.first.answer(path, body, raw)))
        self._compare(path, body, request, first)
        taken = await asyncio.shield(first)
        SPENT.set(taken.spent)
        return taken.answer

    def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        request = self._sampled(path, body)
        return self.first.stream(path, body) if request is None else self._stream(path, body, request)

    async def close(self) -> None:
        if self.running:
            await asyncio.wait(self.running, timeout=CLOSE_S)
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        await self.first.close()
        await self.second.close()
        self.store.close()

    async def _stream(self, path: TextPath, body: Body, request: bytes) -> AsyncGenerator[bytes, None]:
        blocks: asyncio.Queue[bytes] = asyncio.Queue()
        first = asyncio.create_task(_pump(self.first.stream(path, body), blocks))
        self._compare(path, body, request, first)
        while block := await blocks.get():
            yield block
        SPENT.set((await asyncio.shield(first)).spent)  # raises what ended it

    def _sampled(self, path: TextPath, body: Body) -> bytes | None:
        """The request as it will be kept, if it is one to compare."""
        if path not in STREAMED or random.random() >= self.rate or len(self.running) >= MAX_RUNNING:
            return None
        try:
            request = orjson.dumps(body)
        except orjson.JSONEncodeError:  # the first one refuses it
            return None
        return request if len(request) <= MAX_REQUEST_BYTES else None

    def _compare(self, path: TextPath, body: Body, request: bytes, first: asyncio.Task[Taken]) -> None:
        id = f"shadow_{uuid.uuid4().hex}"
        add_header(HEADER, id)
        task = asyncio.create_task(self._keep(id, path, body, request, first))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _keep(self, id: str, path: TextPath, body: Body, request: bytes, first: asyncio.Task[Taken]) -> None:
        second = await self._ask(path, body)
        await asyncio.wait([first])
        if first.cancelled() or first.exception() is not None:
            return  # without an answer there is nothing to compare
        taken = first.result()
        if taken.spent.provider == second.spent.provider:  # a fallback stood in for the first
            return
        try:
            await asyncio.to_thread(self._write, id, CALLER.get().id, path, body, request, taken, second)
        except (sqlite3.Error, ServiceError):
            log.exception("a shadow record could not be written")

    async def _ask(self, path: TextPath, body: Body) -> Taken:
        asked = {name: value for name, value in body.items() if name not in NOT_SENT}
        began = time.perf_counter()
        try:
            return await _take(self.second.answer(path, asked))
        except ServiceError as error:
            nothing = Spent(self.second.provider, str(body.get("model") or self.second.default), 0, 0)
            return Taken(b"", nothing, time.perf_counter() - began, error.code or str(error.status))

    def _write(
        self, id: str, key_id: str, path: TextPath, body: Body, request: bytes, first: Taken, second: Taken
    ) -> None:
        brief = brief_of(body.get("messages"))
        self.store.add(id, key_id, path, request, self._side(first, brief), self._side(second, brief))

    def _side(self, taken: Taken, brief: Brief | None) -> Side:
        answer = None if taken.error else said(taken.answer)
        return Side(
            provider=taken.spent.provider,
            model=taken.spent.model,
            answer=None if answer is None else answer[:MAX_ANSWER_CHARS],
            latency_ms=round(taken.seconds * 1000, 1),
            cost_usd=None if answer is None else self.prices.costs(taken.spent)[0],
            score=None if answer is None or brief is None else overall(answer, brief),
            error=taken.error,
        )


async def _take(answering: Awaitable[bytes]) -> Taken:
    began = time.perf_counter()
    answer = await answering
    return _taken(answer, began)


async def _pump(blocks: AsyncGenerator[bytes, None], into: asyncio.Queue[bytes]) -> Taken:
    """Pass `blocks` on to whoever reads `into`, to their end; an empty one says that it has come."""
    began = time.perf_counter()
    events = bytearray()
    try:
        async with aclosing(blocks):
            async for block in blocks:
                events += block
                into.put_nowait(block)
    finally:
        into.put_nowait(b"")
    return _taken(bytes(events), began)


def _taken(answer: bytes, began: float) -> Taken:
    spent = SPENT.get()
    assert spent is not None, "whoever answers says what it cost"
    return Taken(answer, spent, time.perf_counter() - began)


def said(answer: bytes) -> str:
    """The first choice's text, or its tool calls as JSON; of an answer or of a stream. Raises UpstreamFailed."""
    try:
        whole: Any = gather(answer) if answer.startswith(b"data:") else orjson.loads(answer)
        choice: Any = whole["choices"][0]
        if "text" in choice:
            return str(choice["text"])
        message: Any = choice["message"]
        calls: Any = message.get("tool_calls")
        return orjson.dumps(calls).decode() if calls else str(message.get("content") or message.get("refusal") or "")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UpstreamFailed("the upstream's answer has no message") from error
