"""/v1/fine_tuning/jobs: models trained on the caller's own files, by whichever provider."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from gateway.catalogs import resolve
from gateway.keys import Key, caller
from gateway.tuning import Asker, Tuning
from shared.asgi import Receive, Scope, Send
from shared.errors import UnsupportedByProvider
from shared.events import send_events
from shared.labels import METADATA, read_labels
from shared.wire.fine_tuning import (
    FineTuningJob,
    JobCheckpointList,
    JobEventList,
    JobList,
    JobRequest,
)

NOT_OFFERED = "fine-tuning is not offered: set ML_TEXT_URL, or MODEL_PROVIDER=openai"
After = str | None
Limit = Annotated[int, Query(ge=1, le=100)]


async def asker(
    key: Annotated[Key, Depends(caller)],
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    x_stainless_retry_count: Annotated[str, Header()] = "0",
) -> Asker:
    return Asker(key, idempotency_key, x_stainless_retry_count not in ("", "0"))


async def offered_tuning(request: Request) -> Tuning:
    """Raises UnsupportedByProvider."""
    tuning = request.app.state.adapter.tuning
    if tuning is None:
        raise UnsupportedByProvider(NOT_OFFERED)
    return tuning


Who = Annotated[Asker, Depends(asker)]
Offered = Annotated[Tuning, Depends(offered_tuning)]
Answer = dict[str, Any]
router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


class Events(Response):
    """Server-sent events as they come."""

    def __init__(self, tuning: Tuning, who: Asker, id: str, after: str | None) -> None:
        super().__init__(media_type="text/event-stream")
        self.events = tuning.follow(who, id, after)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(scope, receive, send, self.events)


@router.post("", response_model=None, responses={200: {"model": FineTuningJob}})
async def create(request: Request, body: JobRequest, tuning: Offered, who: Who) -> Answer:
    """Train a model on an uploaded file; it answers by the name in `fine_tuned_model` once the job has succeeded."""
    model = await resolve(request.app.state.adapter.offered, body.model)
    return await tuning.create(who, body.model_dump(mode="json", exclude_unset=True) | {"model": model})


@router.get("", response_model=None, responses={200: {"model": JobList}}, openapi_extra={"parameters": [METADATA]})
async def list_jobs(request: Request, tuning: Offered, who: Who, after: After = None, limit: Limit = 20) -> Answer:
    """Newest first; `metadata[name]=value` chooses. `unavailable` names services that did not answer, if any."""
    return await tuning.list_jobs(who, after, limit, read_labels(request.query_params.multi_items()))


@router.get("/{id}", response_model=None, responses={200: {"model": FineTuningJob}})
async def get(id: str, tuning: Offered, who: Who) -> Answer:
    return await tuning.get(who, id)


@router.get("/{id}/events", response_model=None, responses={200: {"model": JobEventList}})
async def events(
    id: str,
    tuning: Offered,
    who: Who,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    stream: bool = False,
) -> Answer | Response:
    """Newest first; with `stream` oldest first, as they come, until the job has ended."""
    return Events(tuning, who, id, after) if stream else await tuning.events(who, id, after, limit)


@router.get("/{id}/checkpoints", response_model=None, responses={200: {"model": JobCheckpointList}})
async def checkpoints(id: str, tuning: Offered, who: Who, after: After = None, limit: Limit = 10) -> Answer:
    return await tuning.checkpoints(who, id, after, limit)


@router.post("/{id}/pause", response_model=None, responses={200: {"model": FineTuningJob}})
async def pause(id: str, tuning: Offered, who: Who) -> Answer:
    """A running job stops after its next checkpoint."""
    return await tuning.act(who, id, "pause")


@router.post("/{id}/resume", response_model=None, responses={200: {"model": FineTuningJob}})
async def resume(id: str, tuning: Offered, who: Who) -> Answer:
    """A paused job goes on at the step where it stood."""
    return await tuning.act(who, id, "resume")


@router.post("/{id}/cancel", response_model=None, responses={200: {"model": FineTuningJob}})
async def cancel(id: str, tuning: Offered, who: Who) -> Answer:
    """Checkpoints stay."""
    return await tuning.act(who, id, "cancel")
