"""GET /ready: whether requests can be answered now."""

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """200 when every offered provider is ready; else the status says why not."""
    adapter = request.app.state.adapter
    if adapter.text is not None:
        await adapter.text.models.check_ready()
    return {"status": "ready"}
