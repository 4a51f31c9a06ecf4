"""`/v1/models` of one service, as far as no model has to be in memory for it: list, versions, promote, save, delete.

The service puts its `Sources` into `app.state.sources`.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from shared.registry import describe
from shared.sources.folders import Source, Sources
from shared.wire.models import (
    ModelDeleted,
    ModelList,
    ModelObject,
    ModelVersion,
    ModelVersionList,
    Promotion,
    SavedName,
)


def get_sources(request: Request) -> Sources:
    return request.app.state.sources


TheSources = Annotated[Sources, Depends(get_sources)]
router = APIRouter()


@router.get("/v1/models")
async def models(sources: TheSources) -> ModelList:
    return ModelList(data=[ModelObject(**model_fields(source)) for source in await asyncio.to_thread(sources.list)])


@router.get("/v1/models/{id:path}/versions")
async def versions(id: str, sources: TheSources) -> ModelVersionList:
    """The versions of a published model, with what they were made of."""
    found = await asyncio.to_thread(sources.versions, id)
    return ModelVersionList(data=[describe(version) for version in reversed(found)])


@router.post("/v1/models/{id:path}/promote")
async def promote(id: str, body: Promotion, sources: TheSources) -> ModelVersion:
    """From the next request on the model's name means this version."""
    return describe(await asyncio.to_thread(sources.promote, id, body.version))


@router.post("/v1/models/{id:path}/rollback")
async def roll_back(id: str, sources: TheSources) -> ModelVersion:
    """From the next request on the model's name means what it meant before the last change."""
    return describe(await asyncio.to_thread(sources.promote, id))


@router.post("/v1/models/{id:path}/save")
async def save(id: str, body: SavedName, sources: TheSources) -> ModelVersion:
    """Publish the model under another name."""
    return describe(await asyncio.to_thread(sources.save, id, body.name))


@router.delete("/v1/models/{id:path}")
async def delete(id: str, sources: TheSources) -> ModelDeleted:
    """Delete a published model, or one version of it: the next request is told that it does not exist."""
    await asyncio.to_thread(sources.remove, id)
    return ModelDeleted(id=id)


def model_fields(source: Source) -> dict[str, Any]:
    """The fields of a ModelObject."""
    return {"id": source.name, "created": source.created, "base": source.base}
