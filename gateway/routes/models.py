"""GET /v1/models: what the configured providers have."""

from typing import Any

from fastapi import APIRouter, Request

from shared.wire.models import ModelList

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", response_model=None, responses={200: {"model": ModelList}})
async def list_models(request: Request) -> dict[str, Any]:
    """All models, as the provider names them."""
    text = request.app.state.adapter.offered_text()
    return {"object": "list", "data": await text.models.models()}


@router.get("/{model:path}", response_model=None)
async def get_model(request: Request, model: str) -> dict[str, Any]:
    """One model; an alias answers with the model that it stands for."""
    text = request.app.state.adapter.offered_text()
    return await text.models.model(await text.resolve(model))
