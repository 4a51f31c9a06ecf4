"""What a job is, and what a store of jobs can do. `shared.jobs.rules` says how a job may change."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from shared.errors import NotFound

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
Wanted = Literal["run", "pause", "cancel"]
Level = Literal["info", "warn", "error"]
FINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    id: str
    queue: str
    """Which workers may take it: a service's name ("text"), or "batch"."""
    owner: str
    """The id of the key that made it."""
    spec: dict[str, Any]
    """What to do; JSON, never changed."""
    created: float = field(default_factory=time.time)
    """Unix seconds, as every time here."""
    fingerprint: str = ""
    """Equal for equal requests, so that a retried one is found."""
    idempotency: str | None = None
    """The caller's Idempotency-Key: a second job of this owner with the same one is not made."""

    state: State = "queued"
    wanted: Wanted = "run"
    """What somebody asked of a running job; its worker sees to it."""
    place: int = 0
    """In the queue: lower ones are taken first."""
    attempts: int = 0
    failures: int = 0
    """Attempts in a row that died without having made a checkpoint."""
    token: str = ""
    """Of the attempt that runs; what does not know it may not write."""
    receipt: str = ""
    """The store's own mark of what it handed out."""
    worker: str = ""
    lease: float = 0.0
    """Until when the worker has it, unless it says that it lives."""
    started: float | None = None
    """Of the first attempt."""
    finished: float | None = None
    error: dict[str, Any] | None = None
    """code, message, param: of the last attempt that failed."""
    result: dict[str, Any] | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL


def write_job(job: Job) -> str:
    return json.dumps(asdict(job))


def read_job(text: str | bytes) -> Job:
    return Job(**json.loads(text))


def unknown_job(id: str, param: str = "fine_tuning_job_id") -> NotFound:
    return NotFound(f"no job {id[:80]!r}", code="job_not_found", param=param)


@dataclass(frozen=True)
class Note:
    """What happened to a job, in a sentence for people."""

    message: str
    level: Level = "info"
    time: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Change:
    job: Job
    note: Note | None = None


Rule = Callable[[Job, Callable[[], int]], Change]
"""(the job as it is, a new place behind all others) -> the job as it becomes. May raise: then nothing has changed."""


class JobStore(Protocol):
    """Every call is atomic and durable when it returns; each raises NotReady while the store cannot be reached."""

    def add(self, job: Job, note: Note) -> Job:
        """Put a new job at the end of its queue, or return the owner's older one with the same `idempotency`."""
        ...

    def get(self, id: str) -> Job:
        """Raises NotFound."""
        ...

    def page(self, queue: str, owner: str, after: str | None, limit: int) -> tuple[list[Job], bool]:
        """The owner's jobs, newest first, that follow `after`, and whether there are more. Raises NotFound."""
        ...

    def find_idempotent(self, owner: str, idempotency: str) -> Job | None: ...

    def find_recent(self, owner: str, fingerprint: str, since: float) -> Job | None:
        """The owner's newest job with this fingerprint that was created after `since`."""
        ...

    def position(self, job: Job) -> int | None:
        """1 for the queued job that is taken next; None when it does not wait."""
        ...

    def notes(self, id: str) -> list[Note]:
        """All that happened to it, oldest first."""
        ...

    def apply(self, id: str, rule: Rule) -> Job:
        """Change one job by `rule`; with it its place in the queue and its notes. Raises what `rule` raises."""
        ...

    def claim(self, queue: str, worker: str) -> Job | None:
        """The next job for `worker`, now running with a token of its own: one whose worker died, else the first."""
        ...

    def close(self) -> None: ...
