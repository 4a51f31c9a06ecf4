"""What the job routes do, without HTTP: take a request in, look jobs up for their owner, pause, resume, cancel."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from shared.blobs import new_id
from shared.errors import InvalidRequest, NotReady
from shared.files import FileStore
from shared.jobs import answers, folder, rules
from shared.jobs.job import Job, JobStore, Note, Rule, unknown_job
from shared.jobs.requests import (
    TRAINING_FILE,
    VALIDATION_FILE,
    Caller,
    Trainer,
    fingerprint,
    job_spec,
)
from shared.jobs.store import open_store
from shared.settings import SharedSettings
from shared.wire.fine_tuning import FineTuningJob, JobCheckpoint, JobEvent, JobRequest

RETRIED_S = 600.0
PURPOSE = "fine-tune"
FOUND_PER_READ = 100


@dataclass
class Desk:
    """One service's jobs. `trainers` is called when a job is made: it may load torch.

    `check_base(model)` raises NotFound, or InvalidRequest when nothing can be trained on it.
    """

    service: str
    settings: SharedSettings
    trainers: Callable[[], Mapping[str, Trainer]]
    check_base: Callable[[str], None]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def store(self) -> JobStore:
        return open_store(self.settings)

    def close(self) -> None:
        if "store" in vars(self):
            self.store.close()
        if "files" in vars(self):
            self.files.db.close()

    @cached_property
    def files(self) -> FileStore:
        """The gateway's: uploaded files by id and key."""
        path = self.settings.data_dir / "gateway.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
        return FileStore(self.settings.data_dir / "files", db)

    def create(self, request: JobRequest, caller: Caller, idempotency: str | None, retried: bool) -> Job:
        """A new job, or the one that an earlier try of the same request made. Raises InvalidRequest, NotFound."""
        print_of = fingerprint(request)
        with self.lock:  # a retry waits until the first try is in the store
            if idempotency and (old := self.store.find_idempotent(caller.owner, idempotency)):
                return _same(old, print_of)
            if retried and (old := self.store.find_recent(caller.owner, print_of, time.time() - RETRIED_S)):
                return old
            files = self._files(request, caller.owner)
            stem = Path(self.files.get(caller.owner, request.training_file).filename).stem
            spec = job_spec(request, caller, stem, self.trainers(), self.check_base) | {"files": list(files)}
            id = new_id(f"ftjob-{self.service}-")
            job = Job(id, self.service, caller.owner, spec, fingerprint=print_of, idempotency=idempotency)
            data_dir = self.settings.data_dir
            place = folder.create(data_dir, job.id, spec, files)
            try:
                kept = self.store.add(job, Note(f"Created fine-tuning job: {job.id}"))
            except NotReady:  # it may be in all the same; without a row the worker clears the folder away
                raise
            except BaseException:
                folder.remove(place)
                raise
            if kept.id != job.id:  # another process was faster with the same key
                folder.remove(place)
                return _same(kept, print_of)
        return kept

    def _files(self, request: JobRequest, owner: str) -> dict[str, Path]:
        wanted = {TRAINING_FILE: ("training_file", request.training_file)}
        if request.validation_file is not None:
            wanted[VALIDATION_FILE] = ("validation_file", request.validation_file)
        found: dict[str, Path] = {}
        for name, (param, id) in wanted.items():
            file = self.files.get(owner, id, param)
            if file.purpose != PURPOSE:
                raise InvalidRequest(f"{id} has the purpose {file.purpose}, not {PURPOSE}", param=param)
            found[name] = self.files.blobs.folder / file.id
        return found

    def get(self, owner: str, id: str) -> Job:
        """Raises NotFound, also for another key's job."""
        job = self.store.get(id)
        if job.owner != owner or job.queue != self.service:
            raise unknown_job(id)
        return job

    def page(
        self, owner: str, after: str | None, limit: int, metadata: Mapping[str, str] | None
    ) -> tuple[list[Job], bool]:
        """Up to `limit` jobs, newest first, whose metadata has all of `metadata`; and whether there are more."""
        found: list[Job] = []
        more = True
        while more and len(found) <= limit:
            jobs, more = self.store.page(self.service, owner, after, FOUND_PER_READ)
            found += [job for job in jobs if _has(job, metadata)]
            after = jobs[-1].id if jobs else after
        return found[:limit], len(found) > limit

    def change(self, owner: str, id: str, rule: Rule) -> Job:
        self.get(owner, id)
        return self.store.apply(id, rule)

    def cancel(self, owner: str, id: str) -> Job:
        """Cancelled, or on its way there when something runs. Asking again is free."""
        return self.change(owner, id, rules.cancel)

    def show(self, job: Job) -> FineTuningJob:
        return answers.show(job, self._home(job), self.store.position(job))

    def events(self, job: Job) -> list[JobEvent]:
        """Oldest first."""
        return answers.events(job, self.store.notes(job.id), self._home(job))

    def checkpoints(self, job: Job) -> list[JobCheckpoint]:
        return answers.checkpoints(job, self._home(job))

    def _home(self, job: Job) -> Path:
        return folder.home(self.settings.data_dir, job.id)


def _same(old: Job, print_of: str) -> Job:
    if old.fingerprint != print_of:
        message = "this Idempotency-Key was used for another request"
        raise InvalidRequest(message, code="idempotency_key_reused", param="Idempotency-Key")
    return old


def _has(job: Job, metadata: Mapping[str, str] | None) -> bool:
    own: Mapping[str, str] = job.spec["request"].get("metadata", {})
    return all(own.get(name) == value for name, value in (metadata or {}).items())
