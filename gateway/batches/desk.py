"""What the batch routes do, without HTTP: take a request in, look batches up for their owner, cancel."""

import json
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from shared.blobs import new_id
from shared.errors import InvalidRequest
from shared.files import FileStore
from shared.jobs import folder, rules
from shared.jobs.job import Job, JobStore, Note, unknown_job
from shared.jobs.store import open_store
from shared.settings import SharedSettings
from shared.wire.batches import Batch, BatchError, BatchErrors, BatchRequest, RequestCounts, Status

QUEUE = "batch"
INPUT, OUTPUT, ERRORS, COUNTS = "input.jsonl", "output.jsonl", "errors.jsonl", "counts.json"
WINDOW_S = 24 * 3600
EXPIRED = "batch_expired"
PARAM = "batch_id"


@dataclass
class Batches:
    """Jobs of the queue `batch`, in the same store as every other job."""

    settings: SharedSettings
    files: FileStore
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def store(self) -> JobStore:
        return open_store(self.settings)

    def home(self, id: str) -> Path:
        return folder.home(self.settings.data_dir, id)

    def create(self, owner: str, request: BatchRequest, idempotency: str | None) -> Job:
        """Raises NotFound or InvalidRequest on `input_file_id`. What its lines are is looked at when it runs."""
        file = self.files.get(owner, request.input_file_id, param="input_file_id")
        if file.purpose != "batch":
            raise InvalidRequest(f"{file.id} has the purpose {file.purpose}, not batch", param="input_file_id")
        spec = {"request": request.model_dump(mode="json", exclude_none=True)}
        job = Job(new_id("batch-job-"), QUEUE, owner, spec, idempotency=idempotency)
        with self.lock:
            place = folder.create(self.settings.data_dir, job.id, spec, {INPUT: self.files.blobs.folder / file.id})
            try:
                kept = self.store.add(job, Note("Created"))
            except BaseException:
                folder.remove(place)
                raise
        if kept.id != job.id:
            folder.remove(place)
        return kept

    def get(self, owner: str, id: str) -> Job:
        """Raises NotFound, also for another key's batch."""
        job = self.store.get(id)
        if job.owner != owner or job.queue != QUEUE:
            raise unknown_job(id, PARAM)
        return job

    def page(self, owner: str, after: str | None, limit: int) -> tuple[list[Job], bool]:
        return self.store.page(QUEUE, owner, after, limit)

    def cancel(self, owner: str, id: str) -> Job:
        """What was answered by then is kept. Raises InvalidRequest when it has ended otherwise."""
        self.get(owner, id)
        return self.store.apply(id, rules.cancel)

    def show(self, job: Job) -> Batch:
        request, result = job.spec["request"], job.result or {}
        status = status_of(job)
        finished = int(job.finished) if job.finished else None
        errors = result.get("errors")
        if status == "failed" and not errors and job.error:
            errors = [{"code": job.error["code"], "message": job.error["message"]}]
        return Batch(
            id=job.id,
            endpoint=request["endpoint"],
            errors=BatchErrors(data=[BatchError(**error) for error in errors]) if errors else None,
            input_file_id=request["input_file_id"],
            completion_window=request["completion_window"],
            status=status,
            output_file_id=result.get("output_file_id"),
            error_file_id=result.get("error_file_id"),
            created_at=int(job.created),
            in_progress_at=int(job.started) if job.started else None,
            expires_at=int(job.created) + WINDOW_S,
            finalizing_at=finished if status == "completed" else None,
            completed_at=finished if status == "completed" else None,
            failed_at=finished if status == "failed" else None,
            expired_at=finished if status == "expired" else None,
            cancelled_at=finished if status == "cancelled" else None,
            request_counts=RequestCounts(**self.counts(job)),
            metadata=request.get("metadata"),
        )

    def counts(self, job: Job) -> dict[str, Any]:
        if job.result and "counts" in job.result:
            return job.result["counts"]
        try:
            return json.loads((self.home(job.id) / COUNTS).read_text())
        except FileNotFoundError:  # it has not begun
            return {}


def status_of(job: Job) -> Status:
    if job.state == "running":
        return "cancelling" if job.wanted == "cancel" else "in_progress"
    if job.state == "failed":
        return "expired" if job.error and job.error["code"] == EXPIRED else "failed"
    ended: dict[str, Status] = {"succeeded": "completed", "cancelled": "cancelled"}
    return ended.get(job.state, "in_progress" if job.started else "validating")
