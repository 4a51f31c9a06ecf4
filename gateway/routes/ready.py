"""GET /ready: whether requests can be answered now."""

from fastapi import APIRouter, Request

from gateway.together import ask_each
from shared.errors import NotReady

router = APIRouter(tags=["health"])


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """200 when every offered provider is ready; else 503 says which is not, and why."""
    offered = request.app.state.adapter.offered
    _, away = await ask_each({modality: part.models.check_ready() for modality, part in offered.items()})
    if away:
        why = "; ".join(f"{modality} is not ready: {error}" for modality, error in away.items())
        raise NotReady(why, retry_after_s=2)
    return {"status": "ready"}
