"""/v1/models: what the configured providers have; published ones have versions, and can be deleted."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from gateway.catalogs import Part, ask_owner, list_models
from shared.wire.models import ModelDeleted, ModelList, ModelObject, ModelVersion, ModelVersionList, Promotion

router = APIRouter(prefix="/v1/models", tags=["models"])
Json = dict[str, Any]


async def offered(request: Request) -> dict[str, Part]:
    return request.app.state.adapter.offered


Offered = Annotated[dict[str, Part], Depends(offered)]


@router.get("", response_model=None, responses={200: {"model": ModelList}})
async def get_models(parts: Offered) -> Json:
    """All models, as the providers name them; a service's `starter` is `starter-image` and so on, but text's.

    While a service does not answer, the list is without its models and names it in `unavailable`.
    """
    return await list_models(parts)


@router.get("/{model:path}/versions", response_model=None, responses={200: {"model": ModelVersionList}})
async def list_versions(parts: Offered, model: str) -> Json:
    """The versions of a published model, the newest first: what each was made of, how, and which is served."""
    return await ask_owner(parts, model, lambda part, name: part.models.versions(name))


@router.post("/{model:path}/promote", response_model=None, responses={200: {"model": ModelVersion}})
async def promote(parts: Offered, model: str, body: Promotion) -> Json:
    """Serve this version under the model's name from now on."""
    return await ask_owner(parts, model, lambda part, name: part.models.promote(name, body.version))


@router.post("/{model:path}/rollback", response_model=None, responses={200: {"model": ModelVersion}})
async def roll_back(parts: Offered, model: str) -> Json:
    """Serve what was served before the last change; once more goes further back."""
    return await ask_owner(parts, model, lambda part, name: part.models.promote(name, None))


@router.get("/{model:path}", response_model=None, responses={200: {"model": ModelObject}})
async def get_model(parts: Offered, model: str) -> Json:
    """One model; an alias answers with the model that it stands for."""

    async def look(part: Part, name: str) -> Json:
        return await part.models.model(await part.resolve(name))

    return await ask_owner(parts, model, look)


@router.delete("/{model:path}", response_model=None, responses={200: {"model": ModelDeleted}})
async def delete_model(parts: Offered, model: str) -> Json:
    """Delete a published model, or the version that `name:3` means. An alias is no model."""

    async def delete(part: Part, name: str) -> Json:
        deleted = await part.models.delete(name)
        part.names.forget(name)
        return deleted

    return await ask_owner(parts, model, delete)
