"""GET /api/v1/usage: what the caller's key has used."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from gateway.keys import Key, caller

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])
SUMMED = ("requests", "prompt_tokens", "completion_tokens", "images", "seconds", "cost_usd", "openai_cost_usd")


@router.get("")
async def get_usage(
    request: Request, key: Annotated[Key, Depends(caller)], days: Annotated[int, Query(ge=1, le=3660)] = 30
) -> dict[str, Any]:
    """Per day and model: requests, tokens, images, cost, what OpenAI would have taken; null where no price is known."""
    store = request.app.state.usage
    await store.flush()
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (days - 1) * 86400))
    rows = store.rows(key.id, since)
    total = {name: _total([row[name] for row in rows]) for name in SUMMED}
    return {"object": "list", "key": key.id, "data": rows, "total": total}


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
