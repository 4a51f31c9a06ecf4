"""Server-sent events from plain ASGI: the rules of streaming, in one place for gateway and services.

The first event is awaited before the headers leave, so an early failure has a status; a later one is the last event.
The source is closed at once when the client leaves.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Sequence

from shared.asgi import Receive, Scope, Send
from shared.errors import ServiceError, error_body
from shared.logs import REQUEST_ID, note

log = logging.getLogger(__name__)
WATCH_AFTER_S = 0.02
HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


@contextlib.asynccontextmanager
async def while_connected(receive: Receive) -> AsyncGenerator[None]:
    """Run the block, and stop it where it waits when the client leaves. The last `send` belongs after the block."""
    task = asyncio.current_task()
    assert task is not None
    left = False

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        task.cancel()

    watcher: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.create_task(watch())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, begin)  # most answers are there before a task pays
    try:
        yield
    except asyncio.CancelledError:
        if not left:
            raise
        task.uncancel()
        raise ClientLeft from None
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()


class ClientLeft(Exception):
    """Nobody is there to answer."""


async def send_events(scope: Scope, receive: Receive, send: Send, events: AsyncGenerator[bytes, None]) -> None:
    """Send `events` (whole ones, each block ending with an empty line); raises what the first one raises."""
    try:
        async with while_connected(receive), contextlib.aclosing(events):
            first = await anext(events, b"")
            headers = [*HEADERS]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            try:
                await send({"type": "http.response.body", "body": first, "more_body": True})
                async for block in events:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            except ServiceError as error:  # too late for a status
                await send({"type": "http.response.body", "body": error_event(error), "more_body": True})
            except Exception:
                log.exception("bug in the stream of %s", scope["path"])
                bug = ServiceError(f"internal error; request id {REQUEST_ID.get()}")
                await send({"type": "http.response.body", "body": error_event(bug), "more_body": True})
    except ClientLeft:
        note(client_left=True)
        return
    await send({"type": "http.response.body", "body": b""})


async def send_bytes(
    scope: Scope,
    receive: Receive,
    send: Send,
    pieces: AsyncGenerator[bytes, None],
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    """Send a file as it is made; raises what the first piece raises. A later failure tears the connection, so that the
    client sees that the file is not whole."""
    try:
        async with while_connected(receive), contextlib.aclosing(pieces):
            first = await anext(pieces, b"")
            await send({"type": "http.response.start", "status": 200, "headers": [*headers]})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except ClientLeft:
        note(client_left=True)
        return
    await send({"type": "http.response.body", "body": b""})


def error_event(error: ServiceError) -> bytes:
    return b"data: " + json.dumps(error_body(error)).encode() + b"\n\n"
