"""Runs one service's jobs: python -m shared.jobs.worker --service text

Each job is a child process, `python -m ml_text.train METHOD …`: found by name, so nothing of a service is imported
here. A worker that dies takes its children along; within seconds another one, or itself again, goes on from the last
checkpoint. SIGTERM lets the children write a checkpoint and puts their jobs back at the head of the queue.
"""

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from shared.errors import NotFound, ServiceError
from shared.jobs import child, fence, folder, rules
from shared.jobs.child import Child, StillRunning
from shared.jobs.job import Job, JobStore
from shared.jobs.settings import WorkerSettings, environment
from shared.jobs.slots import Slot, Slots, find_gpus
from shared.jobs.store import open_store
from shared.logs import configure_logging

log = logging.getLogger("worker")
TICK_S = 0.1
CLAIM_EVERY_S = 0.3
CANCEL_GRACE_S = 1.0
"""To write a last checkpoint in; the child is gone within 2 s of the request."""
STOP_GRACE_S = 8.0
BAD_INPUT = 2
"""The trainers' exit status for arguments or data that no retry makes better."""


@dataclass
class Attempt:
    job: Job
    folder: Path
    child: Child
    begun_with: int
    """Step of the newest checkpoint when it began."""
    beaten: float = field(default_factory=time.monotonic)
    asked: float | None = None
    """When it was asked to stop."""


class Worker:
    def __init__(
        self, store: JobStore, data_dir: Path, queue: str, module: Sequence[str], slots: Slots, lease_s: float
    ) -> None:
        self.store, self.queue, self.module, self.slots, self.lease_s = store, queue, module, slots, lease_s
        self.data_dir = data_dir.resolve()
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.attempts: list[Attempt] = []
        self.stopping = False
        self.looked = 0.0

    def run(self) -> None:
        """Until `stop` was called and the children have ended."""
        self.sweep()
        while not self.stopping:
            self.tick()
            time.sleep(TICK_S)
        deadline = time.monotonic() + STOP_GRACE_S
        for attempt in self.attempts:
            attempt.child.ask_to_stop()
        while self.attempts and time.monotonic() < deadline:
            self.tick()
            time.sleep(TICK_S)
        for attempt in self.attempts:
            attempt.child.kill()
        self.tick()

    def stop(self) -> None:
        self.stopping = True

    def tick(self) -> None:
        """One look at every child, and at the queue if there is room. An unreachable store is asked again later."""
        for attempt in list(self.attempts):
            try:
                self.look(attempt)
            except rules.LeaseLost:
                log.warning("job %s was taken over", attempt.job.id)
                attempt.child.kill()
                self.forget(attempt)
            except ServiceError as error:
                log.warning("job %s: %s", attempt.job.id, error)
        now = time.monotonic()
        if not self.stopping and now - self.looked > CLAIM_EVERY_S:
            self.looked = now
            try:
                self.fill()
            except ServiceError as error:
                log.warning("%s", error)

    def fill(self) -> None:
        while slot := self.slots.take():
            job = None
            try:
                job = self.store.claim(self.queue, self.name)
                if job is None or not self.start(job, slot):
                    return
                slot = None
            finally:
                if slot is not None:
                    self.slots.give_back(slot)

    def start(self, job: Job, slot: Slot) -> bool:
        """Whether a child runs now."""
        place = folder.home(self.data_dir, job.id)
        if not place.is_dir():
            gone = {"code": "job_folder_missing", "message": f"the folder of job {job.id} is gone", "param": None}
            self.store.apply(job.id, rules.fail(job.token, gone, again=False))
            return False
        fence.put(place, job.token)
        if found := folder.result(place):  # it had ended, and its worker died before it could say so
            self.succeed(job, place, found)
            return False
        begun_with = max(folder.checkpoints(place), default=0)
        command = child.command_line(self.module, job.spec, place, job.token)
        try:
            running = Child(place, command, slot, environment(slot.environment))
        except StillRunning:
            self.store.apply(job.id, rules.release(job.token))
            return False
        log.info("job %s: attempt %d on %s", job.id, job.attempts, slot.name)
        self.attempts.append(Attempt(job, place, running, begun_with))
        return True

    def look(self, attempt: Attempt) -> None:
        status = attempt.child.poll()
        if status is not None:
            self.conclude(attempt, status)
            self.forget(attempt)
            return
        now = time.monotonic()
        current = self.store.get(attempt.job.id)
        if current.token != attempt.job.token:
            raise rules.LeaseLost(f"job {attempt.job.id} was taken over")
        if now - attempt.beaten > self.lease_s / 4:
            advanced = max(folder.checkpoints(attempt.folder), default=0) > attempt.begun_with
            self.store.apply(attempt.job.id, rules.beat(attempt.job.token, self.lease_s, advanced))
            attempt.beaten = now
        if current.wanted != "run" and attempt.asked is None:
            attempt.asked = now
            attempt.child.ask_to_stop()
        if current.wanted == "cancel" and attempt.asked is not None and now - attempt.asked > CANCEL_GRACE_S:
            attempt.child.kill()

    def conclude(self, attempt: Attempt, status: int) -> None:
        """Says in the store how the child ended; what it wrote is on the disk before that."""
        job, place = attempt.job, attempt.folder
        attempt.child.close()
        found = folder.result(place)
        if status == 0 and found is not None:
            self.succeed(job, place, found)
            return
        folder.sync(place)
        current = self.store.get(job.id)
        if current.token == job.token and current.wanted != "run":
            self.store.apply(job.id, rules.stop(job.token))
        elif self.stopping or attempt.asked is not None:
            self.store.apply(job.id, rules.release(job.token))
        else:
            error = describe(status, folder.log_tail(place, attempt.child.log_start))
            log.warning("job %s: attempt %d failed: %s", job.id, job.attempts, error["message"])
            self.store.apply(job.id, rules.fail(job.token, error, again=status != BAD_INPUT))

    def succeed(self, job: Job, place: Path, found: Mapping[str, Any]) -> None:
        folder.sync(place)
        kept = {name: found[name] for name in ("model", "metrics") if name in found}
        message = f"New fine-tuned model created: {found.get('model')}"
        self.store.apply(job.id, rules.succeed(job.token, kept, message))
        log.info("job %s: %s", job.id, message)

    def forget(self, attempt: Attempt) -> None:
        self.attempts.remove(attempt)
        self.slots.give_back(attempt.child.slot)

    def sweep(self) -> None:
        """Removes what requests that were killed left behind."""
        for id, place in folder.settled(self.data_dir).items():
            try:
                self.store.get(id)
            except NotFound:
                folder.remove(place)
            except ServiceError:
                return


def describe(status: int, tail: str) -> dict[str, Any]:
    """Why a child ended: its exit status and the last that it printed."""
    if status == -signal.SIGKILL:
        message = "the process was killed, which the system does when memory is short"
        return {"code": "killed", "message": f"{message}\n{tail}".strip(), "param": None}
    if status == BAD_INPUT:
        option = tail.rpartition("\n")[2].partition(":")[0]
        param = {"--dataset": "training_file", "--validation-dataset": "validation_file"}.get(option)
        return {"code": "invalid_training_job", "message": tail or "bad arguments", "param": param}
    return {"code": "training_failed", "message": tail or f"the trainer ended with status {status}", "param": None}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.jobs.worker", description=__doc__)
    parser.add_argument("--service", required=True, help="whose jobs: text runs python -m ml_text.train")
    service = parser.parse_args(argv).service
    settings = WorkerSettings()  # pyright: ignore[reportCallIssue]
    configure_logging(settings.shared.log_level)
    store = open_store(settings.shared, settings.lease_s)
    slots = Slots(settings.shared.data_dir, settings.jobs, find_gpus() if settings.gpus else [])
    module = [sys.executable, "-m", f"ml_{service}.train"]
    worker = Worker(store, settings.shared.data_dir, service, module, slots, settings.lease_s)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("worker %s takes %s jobs", worker.name, service)
    worker.run()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
