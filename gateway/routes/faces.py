"""/v1/faces: a photo of a person, kept as she is, and put into pictures."""

import asyncio
import time
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from gateway.faces.composing import Composition, Faces
from gateway.faces.sources import sent
from gateway.faces.store import StoredFace
from gateway.keys import Key, caller
from shared.body import encode
from shared.events import while_connected
from shared.paging import Order
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
from shared.wire.images import ImagesResponse
from shared.wire.text import Wire


async def faces_of(request: Request) -> Faces:
    return request.app.state.faces


Caller = Annotated[Key, Depends(caller)]
OwnFaces = Annotated[Faces, Depends(faces_of)]

router = APIRouter(prefix="/v1/faces", tags=["faces"])


def takes(in_form: type[FaceFields | ComposeFields], in_json: type[FaceRequest | ComposeRequest]) -> dict[str, Any]:
    """The request as OpenAPI describes it: a form with a file, or JSON."""
    form = _whole(in_form)
    form["properties"]["image"] = {"type": "string", "format": "binary"}
    form["required"] = [*form.get("required", []), "image"]
    content = {"multipart/form-data": {"schema": form}, "application/json": {"schema": _whole(in_json)}}
    return {"requestBody": {"required": True, "content": content}}


def _whole(kind: type[Wire]) -> dict[str, Any]:
    """Its schema without references, which would lead nowhere inside the document."""
    schema = kind.model_json_schema()
    named: dict[str, Any] = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in cast(list[Any], part)]
        if not isinstance(part, dict):
            return part
        found = cast(dict[str, Any], part)
        if "$ref" in found:
            return named[found["$ref"].rpartition("/")[2]]
        return {name: inlined(value) for name, value in found.items()}

    return inlined(schema)


@router.post("", openapi_extra=takes(FaceFields, FaceRequest))
async def create(request: Request, key: Caller, faces: OwnFaces) -> FaceObject:
    """Keep the person in a photo, whose face has to look at the camera; `index` chooses among several."""
    async with sent(request, key, FaceFields, FaceRequest) as (said, photo), while_connected(request.receive):
        face = await faces.add(key.id, photo, said.index)
    return shown(face)


@router.post("/compose", response_model=ImagesResponse, openapi_extra=takes(ComposeFields, ComposeRequest))
async def compose(request: Request, key: Caller, faces: OwnFaces) -> Response:
    """A picture of one's own with an uploaded face in it."""
    async with sent(request, key, ComposeFields, ComposeRequest) as (said, picture), while_connected(request.receive):
        how = Composition.asked(said)
        size, made = await faces.compose(key.id, said.face_id, picture, how, base64=True)
    data = [{"b64_json": made.decode("ascii")}]
    body = {"created": int(time.time()), "data": data, "output_format": how.format, "size": size}
    return Response(encode(body), media_type="application/json")


@router.get("")
async def list_faces(
    key: Caller,
    faces: OwnFaces,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> FaceList:
    found, more = faces.store.list(key.id, after, limit, order)
    data = [shown(face) for face in found]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return FaceList(data=data, first_id=ends[0], last_id=ends[1], has_more=more)


@router.get("/{face_id}")
async def get(face_id: str, key: Caller, faces: OwnFaces) -> FaceObject:
    return shown(faces.store.get(key.id, face_id))


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


def shown(face: StoredFace) -> FaceObject:
    left, top, width, height = face.box
    return FaceObject(
        id=face.id,
        created_at=face.created,
        bytes=face.size_bytes,
        width=face.width,
        height=face.height,
        box=FaceBox(left=left, top=top, width=width, height=height),
    )
