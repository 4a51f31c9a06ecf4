"""/v1/models: what the configured providers have; published ones can be deleted."""

from typing import Any

from fastapi import APIRouter, Request

from shared.wire.models import ModelDeleted, ModelList, ModelObject

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", response_model=None, responses={200: {"model": ModelList}})
async def list_models(request: Request) -> dict[str, Any]:
    """All models, as the provider names them."""
    text = request.app.state.adapter.offered_text()
    return {"object": "list", "data": await text.models.models()}


@router.get("/{model:path}", response_model=None, responses={200: {"model": ModelObject}})
async def get_model(request: Request, model: str) -> dict[str, Any]:
    """One model; an alias answers with the model that it stands for."""
    text = request.app.state.adapter.offered_text()
    return await text.models.model(await text.resolve(model))


@router.delete("/{model:path}", response_model=None, responses={200: {"model": ModelDeleted}})
async def delete_model(request: Request, model: str) -> dict[str, Any]:
    """Delete a published model. An alias is no model: only the provider's own name is taken."""
    text = request.app.state.adapter.offered_text()
    deleted = await text.models.delete(model)
    text.names.forget(model)
    return deleted
