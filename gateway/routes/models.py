"""/v1/models: what the configured providers have; published ones have versions, and can be deleted."""

from typing import Any

from fastapi import APIRouter, Request

from shared.wire.models import ModelDeleted, ModelList, ModelObject, ModelVersion, ModelVersionList, Promotion

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", response_model=None, responses={200: {"model": ModelList}})
async def list_models(request: Request) -> dict[str, Any]:
    """All models, as the provider names them."""
    text = request.app.state.adapter.offered_text()
    return {"object": "list", "data": await text.models.models()}


@router.get("/{model:path}/versions", response_model=None, responses={200: {"model": ModelVersionList}})
async def list_versions(request: Request, model: str) -> dict[str, Any]:
    """The versions of a published model, the newest first: what each was made of, how, and which is served."""
    return await request.app.state.adapter.offered_text().models.versions(model)


@router.post("/{model:path}/promote", response_model=None, responses={200: {"model": ModelVersion}})
async def promote(request: Request, model: str, body: Promotion) -> dict[str, Any]:
    """Serve this version under the model's name from now on."""
    return await request.app.state.adapter.offered_text().models.promote(model, body.version)


@router.post("/{model:path}/rollback", response_model=None, responses={200: {"model": ModelVersion}})
async def roll_back(request: Request, model: str) -> dict[str, Any]:
    """Serve what was served before the last change; once more goes further back."""
    return await request.app.state.adapter.offered_text().models.promote(model, None)


@router.get("/{model:path}", response_model=None, responses={200: {"model": ModelObject}})
async def get_model(request: Request, model: str) -> dict[str, Any]:
    """One model; an alias answers with the model that it stands for."""
    text = request.app.state.adapter.offered_text()
    return await text.models.model(await text.resolve(model))


@router.delete("/{model:path}", response_model=None, responses={200: {"model": ModelDeleted}})
async def delete_model(request: Request, model: str) -> dict[str, Any]:
    """Delete a published model, or the version that `name:3` means. An alias is no model."""
    text = request.app.state.adapter.offered_text()
    deleted = await text.models.delete(model)
    text.names.forget(model)
    return deleted
