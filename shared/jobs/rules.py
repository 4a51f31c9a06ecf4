"""How a job may change, for every store: each rule takes the job as it is and returns it as it becomes.

    queued -> running -> succeeded | failed | cancelled
       ^         |  \\-> paused -> queued
       \\---------/  (its worker died or was stopped, its child failed and may try again)

A worker's rules want the attempt's token: one whose job was taken over gets LeaseLost, whatever it wants to say.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.errors import InvalidRequest, ServiceError
from shared.jobs.job import Change, Job, Note, Rule

MAX_FAILURES = 3
LEASE_S = 4.0
DIED = {"code": "worker_died", "message": "the worker that ran the job died", "param": None}


class LeaseLost(ServiceError):
    """The job is no longer this attempt's."""


def claim(worker: str, receipt: str, lease_s: float) -> Rule:
    """A waiting job, or one whose worker died, to `worker`; the result may also be that there is nothing to run."""

    def rule(job: Job, _end: Callable[[], int]) -> Change:
        now = time.time()
        if job.state == "running":  # and its lease is over
            if job.wanted != "run":
                return _stopped(job)
            dead = replace(job, failures=job.failures + 1, error=DIED)
            if dead.failures >= MAX_FAILURES:
                return _failed(dead)
            note = Note(f"worker {job.worker} died; attempt {job.attempts + 1} begins", "warn")
            job = dead
        else:
            note = Note(f"Job goes on (attempt {job.attempts + 1})" if job.attempts else "Job started")
        running = replace(
            job,
            state="running",
            attempts=job.attempts + 1,
            token=secrets.token_hex(8),
            receipt=receipt,
            worker=worker,
            lease=now + lease_s,
            started=job.started or now,
        )
        return Change(running, note)

    return rule


def beat(token: str, lease_s: float, advanced: bool = False) -> Rule:
    """The worker lives, and `advanced` says that it made a checkpoint: older failures no longer count."""

    def rule(job: Job, _end: Callable[[], int]) -> Change:
        _hold(job, token)
        failures = 0 if advanced else job.failures
        return Change(replace(job, lease=time.time() + lease_s, failures=failures))

    return rule


def succeed(token: str, result: dict[str, Any], message: str) -> Rule:
    def rule(job: Job, _end: Callable[[], int]) -> Change:
        _hold(job, token)
        done = replace(job, state="succeeded", wanted="run", result=result, error=None, finished=time.time())
        return Change(done, Note(message))

    return rule


def fail(token: str, error: dict[str, Any], again: bool) -> Rule:
    """The attempt failed; with `again` the job keeps its place and is tried once more, MAX_FAILURES times in all."""

    def rule(job: Job, _end: Callable[[], int]) -> Change:
        _hold(job, token)
        job = replace(job, error=error, failures=job.failures + 1)
        if job.wanted == "cancel":
            return _stopped(job)
        if not again or job.failures >= MAX_FAILURES:
            return _failed(job)
        waiting = replace(job, state="queued", token="", lease=0.0)
        return Change(waiting, Note(f"attempt {job.attempts} failed and is tried again: {error['message']}", "warn"))

    return rule


def stop(token: str) -> Rule:
    """The child has ended as was wanted: paused or cancelled."""

    def rule(job: Job, _end: Callable[[], int]) -> Change:
        _hold(job, token)
        return _stopped(job)

    return rule


def release(token: str) -> Rule:
    """The worker stops; the job keeps its place and no failure is counted."""

    def rule(job: Job, _end: Callable[[], int]) -> Change:
        _hold(job, token)
        if job.wanted != "run":
            return _stopped(job)
        return Change(replace(job, state="queued", token="", lease=0.0), Note("the worker was stopped; waiting"))

    return rule


def cancel(job: Job, _end: Callable[[], int]) -> Change:
    """At once when nothing runs, else its worker is asked. A cancelled job stays as it is. Raises InvalidRequest."""
    if job.state == "cancelled" or (job.wanted == "cancel" and job.lease > time.time()):
        return Change(job)
    if job.final:
        raise InvalidRequest(f"the job has {job.state} already", code="job_ended", param="fine_tuning_job_id")
    job = replace(job, wanted="cancel")
    if job.state == "running" and job.lease > time.time():
        return Change(job, Note("Cancellation requested"))
    return _stopped(job)


def pause(job: Job, _end: Callable[[], int]) -> Change:
    """At once when it waits, else after the running attempt's next checkpoint. Raises InvalidRequest."""
    if job.state == "paused" or (job.state == "running" and job.wanted == "pause"):
        return Change(job)
    if job.final or job.wanted == "cancel":
        what = "is being cancelled" if job.wanted == "cancel" and not job.final else f"has {job.state} already"
        raise InvalidRequest(f"the job {what}", code="job_ended", param="fine_tuning_job_id")
    job = replace(job, wanted="pause")
    if job.state == "running" and job.lease > time.time():
        return Change(job, Note("Pause requested: after its next checkpoint"))
    return _stopped(job)


def resume(job: Job, end: Callable[[], int]) -> Change:
    """A paused job to the end of the queue; a pause that has not come about yet is taken back. InvalidRequest."""
    if job.state == "running" and job.wanted == "pause":
        return Change(replace(job, wanted="run"), Note("The pause was taken back"))
    if job.state != "paused":
        raise InvalidRequest(f"the job is not paused, but {job.state}", code="not_paused", param="fine_tuning_job_id")
    return Change(replace(job, state="queued", wanted="run", place=end(), failures=0), Note("Job resumed; waiting"))


def _hold(job: Job, token: str) -> None:
    if job.state != "running" or job.token != token:
        raise LeaseLost(f"job {job.id} is no longer this attempt's")


def _stopped(job: Job) -> Change:
    if job.wanted == "cancel":
        ended = replace(job, state="cancelled", token="", lease=0.0, finished=time.time())
        return Change(ended, Note("Job cancelled" if job.started else "Job cancelled before it began"))
    paused = replace(job, state="paused", token="", lease=0.0)
    return Change(paused, Note("Job paused"))


def _failed(job: Job) -> Change:
    error = job.error or DIED
    ended = replace(job, state="failed", token="", lease=0.0, finished=time.time(), error=error)
    return Change(ended, Note(f"The job failed after {job.attempts} attempts: {error['message']}", "error"))
