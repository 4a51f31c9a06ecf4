"""GET /ready: whether requests can be answered now."""

import asyncio

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """200 when every offered provider is ready; else the status says why not."""
    await asyncio.gather(*(part.models.check_ready() for part in request.app.state.adapter.offered.values()))
    return {"status": "ready"}
