"""Responses in the background: they go on without their client, and can be followed, looked at and cancelled."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from gateway.responses.asked import Asked
from gateway.responses.building import OVER, Building
from gateway.responses.generating import bare_events, encode, generate, later
from gateway.responses.response import failure
from gateway.responses.store import ResponseStore
from gateway.text import Text
from shared.errors import NotReady, Overloaded, ServiceError
from shared.logs import REQUEST_ID

Json = dict[str, Any]
AT_ONCE = 32
"""The rest waits as `queued`."""
MAX_WAITING = 1000
log = logging.getLogger(__name__)


class Run:
    """One response in the making; its events so far stay in memory until the last one."""

    def __init__(self, text: Text, asked: Asked, model: str) -> None:
        self.text, self.asked = text, asked
        self.building = Building(asked.body, model)
        self.events: list[bytes] = []
        self.grown = asyncio.Event()
        self.over = False
        self.task: asyncio.Task[None] | None = None
        for event in self.building.queue():
            self._add(event)
        asked.begin(self.building.response)

    async def make(self, turns: asyncio.Semaphore) -> None:
        """Until the last event is kept."""
        try:
            async with turns, aclosing(generate(self.text, self.asked, self.building)) as made:
                async for event in made:
                    self._add(event)
        except ServiceError as error:
            self.fail(error)
        except Exception:
            log.exception("bug in a background response")
            self.fail(ServiceError(f"internal error; request id {REQUEST_ID.get()}"))

    async def follow(self, after: int) -> AsyncGenerator[bytes, None]:
        """The events with numbers above `after`, as they come, to the last."""
        at = after + 1
        while not self.over:
            grown = self.grown
            if at < len(self.events):
                yield b"".join(self.events[at:])
                at = len(self.events)
            else:
                await grown.wait()
        if at < len(self.events) or after + 1 == at:
            yield b"".join(later(self.events, at - 1))

    def cancel(self) -> None:
        """Its task was cancelled, perhaps before it began."""
        if not self.over:
            self._add(self.building.cancel())

    def fail(self, error: ServiceError) -> None:
        if not self.over:
            self._add(self.building.fail(error))

    def _add(self, event: Json) -> None:
        self.events.append(encode(event))
        if event["type"] in OVER:
            self._end()
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()

    def _end(self) -> None:
        self.over = True
        try:
            self.asked.keep(self.building.response, self.events)
        except sqlite3.Error:  # such as a full disk; the next start will find the response unfinished
            log.exception("a background response could not be kept")


class Runs:
    """All of this process."""

    def __init__(self, store: ResponseStore) -> None:
        self.store = store
        self.running: dict[str, Run] = {}
        self.turns = asyncio.Semaphore(AT_ONCE)
        self._fail_unfinished()

    async def start(self, text: Text, asked: Asked) -> Run:
        """Raises NotFound for an unknown model, and Overloaded."""
        if len(self.running) >= MAX_WAITING:
            raise Overloaded(f"{MAX_WAITING} responses are in the background", retry_after_s=5.0)
        run = Run(text, asked, await text.resolve(asked.body.model))
        id = run.building.response["id"]
        self.running[id] = run
        run.task = asyncio.create_task(run.make(self.turns))
        run.task.add_done_callback(lambda _: self._ended(id))
        return run

    def get(self, key_id: str, id: str) -> Run | None:
        run = self.running.get(id)
        return run if run and run.asked.key_id == key_id else None

    async def cancel(self, key_id: str, id: str) -> None:
        """Returns when the response is over, as it may have been before."""
        run = self.get(key_id, id)
        if run is not None and run.task is not None:
            run.task.cancel()
            await asyncio.wait([run.task])

    async def close(self) -> None:
        """The gateway ends; what runs has failed."""
        tasks = [run.task for run in self.running.values() if run.task]
        for run in self.running.values():
            run.fail(_interrupted())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, id: str) -> None:
        self.running.pop(id).cancel()

    def _fail_unfinished(self) -> None:
        """What ran when the process was killed."""
        for key_id, response, items, messages in self.store.unfinished():
            response |= failure(_interrupted())
            self.store.finish(key_id, response, items, messages, bare_events(response))


def _interrupted() -> NotReady:
    return NotReady("the gateway was stopped while this response ran in the background; ask for it again")
