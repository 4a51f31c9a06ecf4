"""/v1/batches: a file of requests to one endpoint, answered within a day, in files."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request

from gateway.batches.desk import Batches
from gateway.keys import Key, caller
from shared.wire.batches import Batch, BatchList, BatchRequest


def batch_desk(request: Request) -> Batches:
    return request.app.state.batches


Caller = Annotated[Key, Depends(caller)]
Desk = Annotated[Batches, Depends(batch_desk)]
router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post("")
def create(
    body: BatchRequest,
    key: Caller,
    desk: Desk,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Batch:
    """Begin a batch; its file is checked before the first request is asked."""
    return desk.show(desk.create(key.id, body, idempotency_key))


@router.get("")
def list_batches(
    key: Caller, desk: Desk, after: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> BatchList:
    """Newest first."""
    jobs, more = desk.page(key.id, after, limit)
    data = [desk.show(job) for job in jobs]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return BatchList(data=data, first_id=first, last_id=last, has_more=more)


@router.get("/{batch_id}")
def get(batch_id: str, key: Caller, desk: Desk) -> Batch:
    return desk.show(desk.get(key.id, batch_id))


@router.post("/{batch_id}/cancel")
def cancel(batch_id: str, key: Caller, desk: Desk) -> Batch:
    """What was answered until then is in its files."""
    return desk.show(desk.cancel(key.id, batch_id))
