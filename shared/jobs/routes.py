"""`/v1/fine_tuning/jobs` of one service, in OpenAI's shapes; the gateway stands before it and says who asks.

Headers, besides the body: `x-owner`, the id of the caller's key (without it: "local"), whose files and jobs alone are
seen; `x-organization`, how that key is called in model names (without it: the owner), one key's alone;
`idempotency-key` and `x-stainless-retry-count`, by which a repeated create is known.
`GET …/events?stream=true` sends the events so far and then the new ones as server-sent events, until the job has ended.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from shared.app import event_stream
from shared.errors import NotFound
from shared.jobs import rules
from shared.jobs.desk import Desk
from shared.jobs.job import Job
from shared.jobs.requests import Caller
from shared.labels import METADATA, read_labels
from shared.wire.fine_tuning import (
    FineTuningJob,
    JobCheckpointList,
    JobEvent,
    JobEventList,
    JobList,
    JobRequest,
)

LOOK_EVERY_S = 0.25
CANCEL_WAIT_S = 6.0
"""Above the lease: the job of a worker that just died is cancelled in that time too."""
Identified = TypeVar("Identified", bound=BaseModel)
Limit = Annotated[int, Query(ge=1, le=100)]
EventLimit = Annotated[int, Query(ge=1, le=1000)]


def caller(
    x_owner: Annotated[str, Header(max_length=100)] = "local",
    x_organization: Annotated[str | None, Header(max_length=100)] = None,
) -> Caller:
    return Caller(x_owner, x_organization or x_owner)


def get_desk(request: Request) -> Desk:
    """The service puts it there."""
    return request.app.state.desk


TheCaller = Annotated[Caller, Depends(caller)]
TheDesk = Annotated[Desk, Depends(get_desk)]
router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


@router.post("")
def create(
    body: JobRequest,
    desk: TheDesk,
    who: TheCaller,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    x_stainless_retry_count: Annotated[str, Header()] = "0",
) -> FineTuningJob:
    """Train a model on an uploaded file; it is published under a name when the job has succeeded."""
    retried = x_stainless_retry_count not in ("", "0")
    return desk.show(desk.create(body, who, idempotency_key, retried))


@router.get("", openapi_extra={"parameters": [METADATA]})
def list_jobs(request: Request, desk: TheDesk, who: TheCaller, after: str | None = None, limit: Limit = 20) -> JobList:
    """Newest first; `metadata[name]=value` chooses."""
    jobs, more = desk.page(who.owner, after, limit, read_labels(request.query_params.multi_items()))
    return JobList(data=[desk.show(job) for job in jobs], has_more=more)


@router.get("/{id}")
def get(id: str, desk: TheDesk, who: TheCaller) -> FineTuningJob:
    return desk.show(desk.get(who.owner, id))


@router.get("/{id}/events", response_model=JobEventList)
def events(
    id: str, desk: TheDesk, who: TheCaller, after: str | None = None, limit: EventLimit = 20, stream: bool = False
) -> JobEventList | Response:
    """Newest first; with `stream` oldest first, as they come."""
    job = desk.get(who.owner, id)
    if stream:
        return event_stream(follow(desk, job, after))
    data, more = page(desk.events(job)[::-1], after, limit)
    return JobEventList(data=data, has_more=more)


@router.get("/{id}/checkpoints")
def checkpoints(
    id: str, desk: TheDesk, who: TheCaller, after: str | None = None, limit: Limit = 10
) -> JobCheckpointList:
    """Newest first; those that are still there."""
    data, more = page(desk.checkpoints(desk.get(who.owner, id)), after, limit)
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return JobCheckpointList(data=data, first_id=first, last_id=last, has_more=more)


@router.post("/{id}/pause")
def pause(id: str, desk: TheDesk, who: TheCaller) -> FineTuningJob:
    """A running job stops after its next checkpoint."""
    return desk.show(desk.change(who.owner, id, rules.pause))


@router.post("/{id}/resume")
def resume(id: str, desk: TheDesk, who: TheCaller) -> FineTuningJob:
    """A paused job goes on at the step where it stood, when its turn comes."""
    return desk.show(desk.change(who.owner, id, rules.resume))


@router.post("/{id}/cancel")
async def cancel(id: str, desk: TheDesk, who: TheCaller) -> FineTuningJob:
    """Answers when nothing runs any more; checkpoints stay."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CANCEL_WAIT_S
    job = await asyncio.to_thread(desk.cancel, who.owner, id)
    while not job.final and loop.time() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        job = await asyncio.to_thread(_cancelled, desk, who.owner, id)
    return await asyncio.to_thread(desk.show, job)


def _cancelled(desk: Desk, owner: str, id: str) -> Job:
    """It may have come to its end before the worker saw the request."""
    job = desk.get(owner, id)
    return job if job.final else desk.cancel(owner, id)


async def follow(desk: Desk, job: Job, after: str | None) -> AsyncGenerator[JobEvent, None]:
    """The events that follow `after`, and those to come, until the job has ended."""
    sent: set[str] = set()
    events = await asyncio.to_thread(desk.events, job)
    if after is not None:
        place = _index(events, after)
        sent = {event.id for event in events[: place + 1]}
    while True:
        for event in events:
            if event.id not in sent:
                sent.add(event.id)
                yield event
        if job.final:
            return
        await asyncio.sleep(LOOK_EVERY_S)
        job = await asyncio.to_thread(desk.get, job.owner, job.id)
        events = await asyncio.to_thread(desk.events, job)


def page(found: list[Identified], after: str | None, limit: int) -> tuple[list[Identified], bool]:
    start = 0 if after is None else 1 + _index(found, after)
    return found[start : start + limit], len(found) > start + limit


def _index(found: list[Identified], id: str) -> int:
    for place, each in enumerate(found):
        if getattr(each, "id") == id:  # noqa: B009  (pyright: the bound has no id)
            return place
    raise NotFound(f"there is no {id[:80]!r} to go on from", param="after")
