"""A few processes that work on pictures for the gateway, so that its event loop never does.

Started when they are first needed and ended when they have been idle. Each takes one job at a time; when one dies,
hangs or is left by its client, that job alone is lost.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gateway.faces import frames
from shared.errors import Overloaded, ServiceError, UpstreamFailed, UpstreamTimeout, error_from_body

ROOT = Path(__file__).resolve().parents[2]
PIECE_BYTES = 256 << 10
RETRY_AFTER_S = 2.0
START_S = 60.0
log = logging.getLogger(__name__)
Blob = bytes | BinaryIO
"""A file is read when its turn has come: what waits takes no memory."""


@dataclass(frozen=True)
class Bounds:
    workers: int = max(1, min(4, len(os.sched_getaffinity(0)) - 1))
    waiting: int = 32
    timeout_s: float = 120.0
    """For one job, from when a process has begun it."""
    idle_s: float = 60.0
    memory_bytes: int = 1792 << 20
    """Of addresses (RLIMIT_AS), 230 MB of which the libraries take without touching them."""


class Died(Exception):
    """The process is gone."""


class Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self.process, self.asked, self.answered = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, memory_bytes: int) -> "Child":
        command = [sys.executable, "-m", "gateway.faces.child", str(memory_bytes)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what decoders print may quote a picture
            env={**threads, "MALLOC_ARENA_MAX": "1", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            limit=PIECE_BYTES,
        )
        return cls(process)

    async def ask(self, told: dict[str, Any], blobs: Sequence[bytes]) -> tuple[dict[str, Any], bytes]:
        """Raises Died."""
        with _pipes_broken():
            self.asked.write(frames.header(told, blobs))
            for blob in blobs:
                for start in range(0, len(blob), PIECE_BYTES):
                    self.asked.write(blob[start : start + PIECE_BYTES])
                    await self.asked.drain()
        return await self.answer()

    async def answer(self) -> tuple[dict[str, Any], bytes]:
        """Raises Died."""
        with _pipes_broken():
            said: dict[str, Any] = json.loads(await self.answered.readuntil(b"\n"))
            sizes: list[int] = said.pop("sizes")
            return said, await self.answered.readexactly(sum(sizes))

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@contextlib.contextmanager
def _pipes_broken() -> Generator[None]:
    try:
        yield
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise Died from error


class Pool:
    """Cancelling a `run` takes it out of the queue, or ends the process that works on it."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self.bounds = bounds
        self.idle: deque[Child] = deque()
        self.free = asyncio.Semaphore(bounds.workers)
        self.inside = 0
        self.timer: asyncio.TimerHandle | None = None
        self.ending: set[asyncio.Task[None]] = set()

    def check_room(self) -> None:
        """Raises Overloaded when one more would have to wait behind too many."""
        if self.inside >= self.bounds.workers + self.bounds.waiting:
            raise Overloaded(f"{self.inside} pictures with faces are being made", retry_after_s=RETRY_AFTER_S)

    async def run(self, job: str, told: dict[str, Any], *blobs: Blob) -> tuple[dict[str, Any], bytes]:
        """What `gateway.faces.work` makes of it.

        Raises what the job raises, Overloaded, UpstreamTimeout, UpstreamFailed or OutOfMemory.
        """
        self.check_room()
        self.inside += 1
        try:
            async with self.free, self._child() as child:
                read = [blob if isinstance(blob, bytes) else await asyncio.to_thread(blob.read) for blob in blobs]
                said, made = await child.ask({**told, "job": job}, read)
        finally:
            self.inside -= 1
        if "error" in said:
            raise error_from_body(said["status"], said)
        if "bug" in said:
            log.error("bug in a job on a picture: %s", said["bug"])
            raise ServiceError("internal error while the picture was made")
        return said, made

    @contextlib.asynccontextmanager
    async def _child(self) -> AsyncGenerator[Child]:
        """A running one, which goes on to the next only if its job came to an answer."""
        self._stop_timer()
        child: Child | None = None
        try:
            child = await self._take()
            async with asyncio.timeout(self.bounds.timeout_s):
                yield child
        except Died as error:
            raise UpstreamFailed("the process that made the picture died", code="face_worker_died") from error
        except TimeoutError as error:
            message = f"the picture was not done after {self.bounds.timeout_s:.0f} s"
            raise UpstreamTimeout(message, code="face_timeout") from error
        else:
            self.idle.append(child)
            child = None
        finally:
            if child is not None:
                self._end(child)
            self._stop_timer()
            self.timer = asyncio.get_running_loop().call_later(self.bounds.idle_s, self._end_idle)

    async def _take(self) -> Child:
        while self.idle:
            child = self.idle.pop()
            if child.process.returncode is None:
                return child
        child = await Child.start(self.bounds.memory_bytes)
        try:
            async with asyncio.timeout(START_S):
                await child.answer()
        except BaseException:
            self._end(child)
            raise
        return child

    def _end_idle(self) -> None:
        while self.idle:
            self._end(self.idle.pop())

    def _end(self, child: Child) -> None:
        """Kill now, wait for its end beside: whoever waits for this place must not."""
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        task = asyncio.get_running_loop().create_task(child.end())
        self.ending.add(task)
        task.add_done_callback(self.ending.discard)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    async def close(self) -> None:
        self._stop_timer()
        self._end_idle()
        await asyncio.gather(*self.ending)
