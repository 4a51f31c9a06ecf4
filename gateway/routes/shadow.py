"""/api/v1/shadow: both answers to the requests that went to two providers (MODEL_SHADOW), and people's votes."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from gateway.keys import Key, caller
from gateway.shadow_store import ShadowStore
from shared.paging import Order
from shared.wire.shadow import ShadowList, ShadowRecord, ShadowVote


async def shadow_store(request: Request) -> ShadowStore:
    return request.app.state.shadow


Caller = Annotated[Key, Depends(caller)]
Shadows = Annotated[ShadowStore, Depends(shadow_store)]

router = APIRouter(prefix="/api/v1/shadow", tags=["shadow"])


@router.get("", response_model=None, responses={200: {"model": ShadowList}})
async def list_records(
    key: Caller,
    shadows: Shadows,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> dict[str, Any]:
    data, more = shadows.page(key.id, after, limit, order)
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": ends[0], "last_id": ends[1], "has_more": more}


@router.get("/export", response_class=StreamingResponse)
async def export(key: Caller, shadows: Shadows) -> StreamingResponse:
    """All records as JSON lines, oldest first."""

    async def lines() -> AsyncIterator[bytes]:
        for record in shadows.every(key.id):
            yield orjson.dumps(record) + b"\n"

    headers = {"content-disposition": 'attachment; filename="shadow.jsonl"'}
    return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)


@router.get("/{id}", response_model=None, responses={200: {"model": ShadowRecord}})
async def get(id: str, key: Caller, shadows: Shadows) -> dict[str, Any]:
    """An answer's id stands in its header `x-shadow-id`; the record is there once both have answered."""
    return shadows.get(key.id, id)


@router.post("/{id}/vote", response_model=None, responses={200: {"model": ShadowRecord}})
async def vote(id: str, body: ShadowVote, key: Caller, shadows: Shadows) -> dict[str, Any]:
    return shadows.vote(key.id, id, body.vote)
