"""Chats and completions that two providers answer, to be compared; a design is scored."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import orjson

from gateway.adapters.shadowed import Shadowed, Taken, Told, taken
from gateway.gather import gather
from gateway.modality import SPENT
from gateway.text import STREAMED, Body, Text, TextPath
from shared.design import Brief, brief_of
from shared.design.score import overall
from shared.errors import UpstreamFailed

MAX_ANSWER_CHARS = 64 << 10


class ShadowText(Shadowed[Text]):
    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        request = self.sampled(body) if path in STREAMED else None
        if request is None:
            return await self.first.answer(path, body, raw)
        answering = self.first.answer(path, body, raw)
        return await self.answer_both(path, body, request, answering, *self._how(path, body))

    def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        request = self.sampled(body) if path in STREAMED else None
        return self.first.stream(path, body) if request is None else self._stream(path, body, request)

    async def _stream(self, path: TextPath, body: Body, request: bytes) -> AsyncGenerator[bytes, None]:
        blocks: asyncio.Queue[bytes] = asyncio.Queue()
        first = asyncio.create_task(_pump(self.first.stream(path, body), blocks))
        self.compare(path, body, request, first, *self._how(path, body))
        while block := await blocks.get():
            yield block
        SPENT.set((await asyncio.shield(first)).spent)  # raises what ended it

    def _how(self, path: TextPath, body: Body) -> tuple[Callable[[Body], Awaitable[bytes]], Callable[[bytes], Told]]:
        """How the second is asked, and what is kept of an answer."""
        return partial(self.second.answer, path), partial(_told, brief_of(body.get("messages")))


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
    return taken(bytes(events), began)


def _told(brief: Brief | None, raw: bytes) -> Told:
    answer = said(raw)
    return answer[:MAX_ANSWER_CHARS], None if brief is None else overall(answer, brief)


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
