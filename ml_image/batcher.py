"""Continuous batching: one thread per loaded model takes steps for all its pictures; they come and go between steps.

Pictures of one adapter and one size form a group and share a pass of the network, whatever their steps, guidance and
age. Groups take turns, a step each, so that nobody waits for another's last step.
"""

import logging
import threading
from collections import deque
from typing import Protocol

import torch

from ml_image.job import Job, Progress
from shared.errors import OutOfMemory, Overloaded, ServiceError
from shared.training import memory

log = logging.getLogger(__name__)


class Painter(Protocol):
    """What the batcher has its model do; it is used in the batcher's thread alone."""

    def begin(self, job: Job) -> None:
        """Read the prompt, draw the noise: sets `job.denoising`."""
        ...

    def step(self, jobs: list[Job]) -> list[Progress | None]:
        """One step for each of `jobs`, which are of one group; previews where they are due."""
        ...

    def finish(self, job: Job) -> Progress:
        """Latents to the picture."""
        ...


class Batcher:
    """`submit` and `cancel` may be called from any thread."""

    def __init__(self, name: str, painter: Painter, *, slots: float, queue_size: int) -> None:
        self._painter, self._slots, self._queue_size = painter, slots, queue_size
        self._waiting: deque[Job] = deque()
        self._groups: dict[tuple[str, int, int], list[Job]] = {}
        self._beginning: list[Job] = []
        """At most one: it waits no more, and is in no group yet."""
        self._wake = threading.Condition()
        self._closed = False
        self.made = 0
        self.steps = 0
        self._thread = threading.Thread(target=self._run, name=f"batcher {name}", daemon=True)
        self._thread.start()

    # from any thread

    def submit(self, jobs: list[Job]) -> None:
        """Queue all of a request's pictures or none; raises Overloaded when they would be too many to wait."""
        with self._wake:
            if self._closed:
                raise Overloaded("the model is being unloaded", retry_after_s=1)
            free = max(self._slots - sum(job.cost for job in self._started()), 0)
            if self.waiting and self.waiting + len(jobs) > self._queue_size + free:
                raise Overloaded(f"{self.waiting} pictures wait already", retry_after_s=2)
            self._waiting.extend(jobs)
            self._wake.notify()

    def cancel(self, jobs: list[Job]) -> None:
        """Stop before the next step; nothing more is emitted for them."""
        with self._wake:
            for job in jobs:
                job.cancelled = True
            self._wake.notify()

    def close(self) -> None:
        """End the thread after the current step; pictures still there get an error."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        return sum(not job.cancelled for job in list(self._waiting))

    @property
    def running(self) -> int:
        return sum(not job.cancelled for job in self._started())

    def _started(self) -> list[Job]:
        return [*self._beginning, *(job for jobs in list(self._groups.values()) for job in list(jobs))]

    # in the batcher's thread

    @torch.inference_mode()
    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._closed or self._waiting or self._groups):
                    self._wake.wait()
                if self._closed:
                    break
                self._drop_cancelled()
            while job := self._next():
                self._begin(job)
            for key in list(self._groups):
                self._step(key)
        for job in [*self._started(), *self._waiting]:
            self._emit(job, Progress(error=Overloaded("the model was unloaded", retry_after_s=1)))

    def _drop_cancelled(self) -> None:
        self._waiting = deque(job for job in self._waiting if not job.cancelled)
        left = {key: [job for job in jobs if not job.cancelled] for key, jobs in self._groups.items()}
        self._groups = {key: jobs for key, jobs in left.items() if jobs}

    def _next(self) -> Job | None:
        """The picture that waited longest, if there is a slot; one that takes more than all slots runs alone."""
        with self._wake:
            if not self._waiting:
                return None
            taken = sum(job.cost for job in self._started())
            if taken and taken + self._waiting[0].cost > self._slots:
                return None
            job = self._waiting.popleft()
            self._beginning = [job]
            return job

    def _begin(self, job: Job) -> None:
        try:
            self._painter.begin(job)
        except Exception as error:  # this picture's alone: the others and the thread go on
            self._fail(job, error)
        else:
            self._groups.setdefault(job.group, []).append(job)
        self._beginning = []

    def _step(self, key: tuple[str, int, int]) -> None:
        jobs = [job for job in self._groups[key] if not job.cancelled]
        try:
            shown = self._painter.step(jobs) if jobs else []
        except Exception as error:
            self._step_failed(jobs, error)
            shown, jobs = [], []
        self.steps += len(jobs)
        for job, progress in zip(jobs, shown, strict=True):
            if progress:
                self._emit(job, progress)
            if job.denoising and not job.denoising.left:
                self._finish(job)
        left = [job for job in self._groups[key] if job.denoising and job.denoising.left and not job.cancelled]
        with self._wake:
            if left:
                self._groups[key] = left
            else:
                del self._groups[key]

    def _step_failed(self, jobs: list[Job], error: Exception) -> None:
        """Out of memory: the newest picture has to go; any other failure concerns all of this pass."""
        for job in jobs[-1:] if memory.is_out_of_memory(error) else jobs:
            self._fail(job, error)
            job.cancelled = True

    def _finish(self, job: Job) -> None:
        if job.cancelled:
            return
        try:
            progress = self._painter.finish(job)
        except Exception as error:
            self._fail(job, error)
            return
        self.made += 1
        self._emit(job, progress)

    def _fail(self, job: Job, error: Exception) -> None:
        if memory.is_out_of_memory(error):
            error = OutOfMemory("this picture does not fit into memory; a smaller one may", param="size")
        elif not isinstance(error, ServiceError):
            log.error("a request failed in the model", exc_info=error)
            error = ServiceError("internal error")
        self._emit(job, Progress(error=error))

    def _emit(self, job: Job, progress: Progress) -> None:
        if not job.cancelled:
            job.emit(progress)
