"""/v1/faces: a photo of a person, kept as she is, and put into pictures."""

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from gateway.faces.composing import Composition, Faces
from gateway.faces.sources import sent
from gateway.faces.store import StoredFace
from gateway.keys import Key, caller
from shared.events import while_connected
from shared.wire.faces import (
    ComposeFields,
    ComposeRequest,
    FaceBox,
    FaceDeleted,
    FaceFields,
    FaceList,
    FaceObject,
    FaceRequest,
)
from shared.wire.images import Image, ImagesResponse


async def faces_of(request: Request) -> Faces:
    return request.app.state.faces


Caller = Annotated[Key, Depends(caller)]
OwnFaces = Annotated[Faces, Depends(faces_of)]

router = APIRouter(prefix="/v1/faces", tags=["faces"])


def _body(in_form: type[FaceFields | ComposeFields], in_json: type[FaceRequest | ComposeRequest]) -> dict[str, Any]:
    """The request as OpenAPI describes it: a form with a file, or JSON."""
    form = in_form.model_json_schema()
    form["properties"]["image"] = {"type": "string", "format": "binary"}
    form["required"] = [*form.get("required", []), "image"]
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": in_json.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("", openapi_extra=_body(FaceFields, FaceRequest))
async def create(request: Request, key: Caller, faces: OwnFaces) -> FaceObject:
    """Keep the person in a photo, whose face has to look at the camera; `index` chooses among several."""
    async with sent(request, key, FaceFields, FaceRequest) as (said, photo), while_connected(request.receive):
        face = await faces.add(key.id, photo, said.index)
    return _shown(face)


@router.post("/compose", openapi_extra=_body(ComposeFields, ComposeRequest))
async def compose(request: Request, key: Caller, faces: OwnFaces) -> ImagesResponse:
    """A picture of one's own with an uploaded face in it."""
    async with sent(request, key, ComposeFields, ComposeRequest) as (said, picture), while_connected(request.receive):
        how = Composition.asked(said)
        size, made = await faces.compose(key.id, said.face_id, picture, how, base64=True)
    data = [Image(b64_json=made.decode("ascii"), seed=None)]
    return ImagesResponse(created=int(time.time()), data=data, output_format=how.format, size=size)


@router.get("")
async def list_faces(
    key: Caller,
    faces: OwnFaces,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> FaceList:
    found, more = faces.store.list(key.id, after, limit, order)
    data = [_shown(face) for face in found]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return FaceList(data=data, first_id=ends[0], last_id=ends[1], has_more=more)


@router.get("/{face_id}")
async def get(face_id: str, key: Caller, faces: OwnFaces) -> FaceObject:
    return _shown(faces.store.get(key.id, face_id))


@router.get("/{face_id}/content", response_class=Response)
async def content(face_id: str, key: Caller, faces: OwnFaces) -> Response:
    """The cut-out person: a PNG with transparency."""
    with faces.store.open(key.id, face_id)[1] as file:
        png = await asyncio.to_thread(file.read)
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(png, media_type="image/png", headers=headers)


@router.delete("/{face_id}")
async def delete(face_id: str, key: Caller, faces: OwnFaces) -> FaceDeleted:
    """The face is gone from the disk when this answers; pictures made with it are not touched."""
    faces.store.delete(key.id, face_id)
    return FaceDeleted(id=face_id)


def _shown(face: StoredFace) -> FaceObject:
    left, top, width, height = face.box
    return FaceObject(
        id=face.id,
        created_at=face.created,
        bytes=face.size_bytes,
        width=face.width,
        height=face.height,
        box=FaceBox(left=left, top=top, width=width, height=height),
    )
