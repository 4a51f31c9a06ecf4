"""Runs batches: a few at once, a few requests of each at a time, behind what people wait for.

Answers are appended to the job's folder as they come, so a gateway that dies costs none of them: the next one, or
itself again, goes on with the requests that have no line yet.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from gateway.batches.desk import COUNTS, ERRORS, EXPIRED, INPUT, OUTPUT, WINDOW_S, Batches
from gateway.batches.lines import Line, answered, problems, read_lines, refused, requests
from gateway.keys import CALLER, Key
from gateway.text import Text, TextPath
from shared.errors import AWAY, ServiceError
from shared.jobs import rules
from shared.jobs.job import Change, Job, Rule
from shared.logs import REQUEST_ID

log = logging.getLogger(__name__)
AT_ONCE = 2
SIDE_BY_SIDE = 8
"""Requests of one batch: enough to fill a service's batch, too few to fill its queue."""
LOOK_EVERY_S = 0.5
STORE_AWAY_S = 5.0
PAUSES_S = (0.5, 2.0, 8.0, 30.0)
OUTPUT_LIMIT_BYTES = 1 << 40


class Stopped(Exception):
    """The batch is to be cancelled, or its time is over; `expired` says which."""

    def __init__(self, expired: bool) -> None:
        self.expired = expired


@dataclass
class Run:
    """One batch that runs here."""

    job: Job
    home: Path
    total: int
    counts: dict[str, int]
    stopped: Stopped | None = None
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with `stopped`."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def stop(self, expired: bool) -> None:
        self.stopped = Stopped(expired)
        self.halt.set()


class BatchRunner:
    """`offered_text` gives the adapter's text, or raises when there is none; `key_of` the key with an id."""

    def __init__(self, batches: Batches, offered_text: Callable[[], Text], key_of: Callable[[str], Key]) -> None:
        self.batches, self.offered_text, self.key_of = batches, offered_text, key_of
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.lease_s = rules.LEASE_S

    async def run_forever(self) -> None:
        """Until it is cancelled; batches that run then are another's at once."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    while len(running) < AT_ONCE and (job := await self._claim()):
                        running.add(task := asyncio.create_task(self._attempt(job)))
                        task.add_done_callback(running.discard)
                except ServiceError as error:
                    log.warning("batches wait: %s", error)
                    await asyncio.sleep(STORE_AWAY_S)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _claim(self) -> Job | None:
        return await asyncio.to_thread(self.batches.store.claim, "batch", self.name)

    async def _apply(self, job: Job, rule: Rule) -> Job:
        return await asyncio.to_thread(self.batches.store.apply, job.id, rule)

    async def _attempt(self, job: Job) -> None:
        try:
            await self._run(job)
        except rules.LeaseLost:
            log.warning("batch %s was taken over", job.id)
        except asyncio.CancelledError:  # the gateway stops
            with contextlib.suppress(ServiceError):
                self.batches.store.apply(job.id, rules.release(job.token))
            raise
        except Exception as error:
            log.exception("batch %s failed", job.id)
            told = {"code": "batch_failed", "message": f"internal error: {type(error).__name__}", "param": None}
            with contextlib.suppress(ServiceError):
                await self._apply(job, rules.fail(job.token, told, again=True))

    async def _run(self, job: Job) -> None:
        home = self.batches.home(job.id)
        total, wrong = await asyncio.to_thread(problems, home / INPUT, job.spec["request"]["endpoint"])
        if wrong:
            await self._apply(job, _keep(job.token, {"errors": wrong}))
            told = {"code": wrong[0]["code"], "message": wrong[0]["message"], "param": wrong[0]["param"]}
            await self._apply(job, rules.fail(job.token, told, again=False))
            return
        done = await asyncio.to_thread(_done, home)
        run = Run(job, home, total, {"total": total, "completed": len(done[OUTPUT]), "failed": len(done[ERRORS])})
        beating = asyncio.create_task(self._beat(run))
        try:
            await self._answer_all(run, done[OUTPUT] | done[ERRORS])
        finally:
            beating.cancel()
        await self._finish(run)

    async def _beat(self, run: Run) -> None:
        """Keep the lease, and look whether the batch is still wanted."""
        while True:
            _write_counts(run)
            current = await self._apply(run.job, rules.beat(run.job.token, self.lease_s, advanced=True))
            if current.wanted == "cancel":
                run.stop(expired=False)
            elif time.time() > run.job.created + WINDOW_S:
                run.stop(expired=True)
            await asyncio.sleep(self.lease_s / 4)

    async def _answer_all(self, run: Run, done: set[str]) -> None:
        CALLER.set(self.key_of(run.job.owner))
        todo = (line for line in requests(run.home / INPUT) if line.custom_id not in done)
        workers = [asyncio.create_task(self._answer_some(run, todo)) for _ in range(SIDE_BY_SIDE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _answer_some(self, run: Run, todo: Iterator[Line]) -> None:
        path = cast(TextPath, run.job.spec["request"]["endpoint"].removeprefix("/v1/"))
        for line in todo:
            if run.stopped:
                return
            REQUEST_ID.set(f"{run.job.id}-{secrets.token_hex(4)}")
            try:
                row, name, counted = answered(line, await self._ask(run, path, line)), OUTPUT, "completed"
            except Stopped:
                return
            except ServiceError as error:
                row, name, counted = refused(line, error), ERRORS, "failed"
            async with run.lock:
                await asyncio.to_thread(_append, run.home / name, row)
                run.counts[counted] += 1

    async def _ask(self, run: Run, path: TextPath, line: Line) -> bytes:
        """Tried again while the models are busy or away, then given up. Raises ServiceErrors and Stopped."""
        for pause_s in PAUSES_S:
            try:
                return await self.offered_text().answer(path, line.body)
            except AWAY as error:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(run.halt.wait(), max(pause_s, error.retry_after_s or 0))
                if run.stopped:
                    raise run.stopped from None
        return await self.offered_text().answer(path, line.body)

    async def _finish(self, run: Run) -> None:
        job = run.job
        result: dict[str, Any] = {"counts": run.counts}
        for name, id in ((OUTPUT, "output_file_id"), (ERRORS, "error_file_id")):
            if (run.home / name).is_file():
                result[id] = await asyncio.to_thread(self._put, job, run.home / name, name)
        if run.stopped is None:
            await self._apply(job, rules.succeed(job.token, result, "Completed"))
            return
        await self._apply(job, _keep(job.token, result))
        if run.stopped.expired:
            told = {"code": EXPIRED, "message": "the batch was not done within 24 hours", "param": None}
            await self._apply(job, rules.fail(job.token, told, again=False))
        else:
            await self._apply(job, rules.stop(job.token))

    def _put(self, job: Job, path: Path, name: str) -> str:
        """A file of the owner's with what was written so far; its id."""
        files, expires = self.batches.files, job.spec["request"].get("output_expires_after")
        with self.batches.lock, files.draft(OUTPUT_LIMIT_BYTES) as draft, path.open("rb") as written:
            while piece := written.read(1 << 20):
                draft.write(piece)
            draft.seal()
            filename = f"{job.id}_{name}"
            expires_s = expires["seconds"] if expires else None
            return files.put(job.owner, draft, filename, "batch_output", "application/jsonl", expires_s).id


def _keep(token: str, result: dict[str, Any]) -> Rule:
    """What there is to show of a batch that did not come to its end."""

    def rule(job: Job, end: Callable[[], int]) -> Change:
        held = rules.beat(token, rules.LEASE_S)(job, end).job
        return Change(replace(held, result=result))

    return rule


def _done(home: Path) -> dict[str, set[str]]:
    """custom_ids that have an answer, by file; a line that was torn by a crash is cut off, and asked again."""
    found: dict[str, set[str]] = {OUTPUT: set(), ERRORS: set()}
    for name, ids in found.items():
        path = home / name
        if not path.is_file():
            continue
        data_end = path.read_bytes().rfind(b"\n") + 1
        os.truncate(path, data_end)
        ids.update(row["custom_id"] for _, row in read_lines(path))
    return found


def _append(path: Path, row: bytes) -> None:
    with path.open("ab") as file:
        file.write(row)
        file.flush()
        os.fsync(file.fileno())


def _write_counts(run: Run) -> None:
    draft = run.home / f".{COUNTS}"
    draft.write_text(json.dumps(run.counts))
    draft.replace(run.home / COUNTS)
