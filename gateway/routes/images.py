"""/v1/images: pictures from words, from pictures, and where they lie for an hour."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.faces.finishing import put_face
from gateway.generated import file_id
from gateway.image_answers import answer
from gateway.image_requests import Asked, read_edit, read_variation
from gateway.images import ImageCall
from gateway.keys import Key, caller
from gateway.routes.files import Files, send_file
from shared.body import json_object
from shared.openapi import EVENTS
from shared.wire.images import FacedImageGenerate, ImagesResponse

BINARY = {"type": "string", "format": "binary"}
TEXTS = {name: {"type": "string"} for name in ("model", "size", "response_format", "output_format")}
FACE: dict[str, Any] = {
    "face_id": {"type": "string"},
    "face_blend": {"type": "number", "minimum": 0, "maximum": 1},
}
COUNT = {"n": {"type": "integer", "minimum": 1, "maximum": 10}}
EDIT_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["image", "prompt"],
    "properties": {"image": BINARY, "mask": BINARY, "prompt": {"type": "string"}, **COUNT, **TEXTS, **FACE},
}
REF: dict[str, Any] = {
    "type": "object",
    "properties": {"image_url": {"type": "string"}, "file_id": {"type": "string"}},
    "minProperties": 1,
    "maxProperties": 1,
}
EDIT_JSON: dict[str, Any] = {
    "type": "object",
    "required": ["images", "prompt"],
    "properties": {
        "images": {"type": "array", "items": REF, "minItems": 1, "maxItems": 16},
        "mask": REF,
        "prompt": {"type": "string", "minLength": 1},
        **COUNT,
        **TEXTS,
        **FACE,
    },
}
VARIATION: dict[str, Any] = {"type": "object", "required": ["image"], "properties": {"image": BINARY, **COUNT, **TEXTS}}


def takes(**schemas: dict[str, Any]) -> dict[str, Any]:
    kinds = {"form": "multipart/form-data", "json": "application/json"}
    content = {kinds[name]: {"schema": schema} for name, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


ANSWER: Any = {200: {"model": ImagesResponse}}
ANSWER_OR_EVENTS: Any = {200: {"model": ImagesResponse, "content": EVENTS}}
MOST_AT_ONCE = 16
"""Requests that bring pictures: each holds them in memory, FORM_BYTES at most, until its answer is sent."""


async def held(request: Request) -> AsyncGenerator[None]:
    with request.app.state.picture_room.one():
        yield


Caller = Annotated[Key, Depends(caller)]
HELD = [Depends(held)]
router = APIRouter(prefix="/v1/images", tags=["images"])


@router.post("/generations", response_model=None, responses=ANSWER_OR_EVENTS)
async def generate(body: FacedImageGenerate, request: Request, key: Caller) -> Response:
    """Pictures from words; with `stream` as events."""
    fields, finish = put_face(request.app.state.faces, key.id, body, json_object(request.scope))
    return await answer(request, key, Asked(body, ImageCall("generations", fields)), finish)


@router.post(
    "/edits",
    response_model=None,
    responses=ANSWER_OR_EVENTS,
    openapi_extra=takes(form=EDIT_FORM, json=EDIT_JSON),
    dependencies=HELD,
)
async def edit(request: Request, key: Caller, files: Files) -> Response:
    """Pictures from pictures and words: a form with files, or JSON with `images` by address or file id."""
    asked, said = await read_edit(request, files, key.id)
    fields, finish = put_face(request.app.state.faces, key.id, said, asked.call.fields)
    return await answer(request, key, replace(asked, call=replace(asked.call, fields=fields)), finish)


@router.post(
    "/variations", response_model=None, responses=ANSWER, openapi_extra=takes(form=VARIATION), dependencies=HELD
)
async def vary(request: Request, key: Caller) -> Response:
    """Pictures that resemble one."""
    return await answer(request, key, await read_variation(request))


@router.get("/files/{filename}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
async def get_file(
    request: Request,
    filename: str,
    files: Files,
    expires: Annotated[int, Query(ge=0, lt=2**53)],
    signature: Annotated[str, Query(max_length=64)],
) -> Response:
    """A picture of an answer with `response_format` url; the address is its own permission."""
    id = file_id(filename)
    request.app.state.signer.check(id, expires, signature)
    return send_file(*files.open(files.owner(id), id), inline=True)
