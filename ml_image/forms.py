"""What an edit or a variation brings: a form with files, or JSON with pictures by reference."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PIL.Image import Image as Picture
from pydantic import ValidationError

from ml_image.edits import Edit
from shared.app import from_validation
from shared.asgi import Receive, Scope
from shared.body import json_object
from shared.errors import InvalidRequest
from shared.files import FileStore
from shared.multipart import Form, read_form
from shared.pictures import read_picture
from shared.references import fetch
from shared.wire.images import MAX_INPUTS, PROMPT_CHARS, EditFields, ImageEdit, ImageRef, ImageVariation, Output

FILES = {"image": 1, "image[]": MAX_INPUTS, "mask": 1}
FORM_BYTES = 64 << 20
JSON_BYTES = 96 << 20
"""Pictures in data: URLs are a third larger."""
FIELD_BYTES = 4 * PROMPT_CHARS
Files = tuple[FileStore, str]
"""Uploaded ones, and whose."""
Fields = TypeVar("Fields", bound=Output)
THREADS = ThreadPoolExecutor(2, thread_name_prefix="pictures")
"""No more are decoded at once, so that memory stays bounded."""


async def read_edit(receive: Receive, scope: Scope, files: Files) -> tuple[EditFields, Edit]:
    """A form, or JSON with references. Raises InvalidRequest, TooLarge or NotFound, by the field's name."""
    if _content_type(scope).lower().startswith("multipart/"):
        form = await _form(receive, scope)
        body = _checked(EditFields, form)
        mask = next((file for file in form.files if file.param == "mask"), None)
        return body, Edit(await _only_picture(form), await _read(mask.data, "mask") if mask else None, body.strength)
    edit = _checked_json(scope)
    if len(edit.images) > 1:
        raise InvalidRequest("these models start from one picture", param="images", code="unsupported_value")
    picture = await _referred(edit.images[0], "images[0]", files)
    mask = await _referred(edit.mask, "mask", files) if edit.mask else None
    return edit, Edit(picture, mask, edit.strength)


async def read_variation(receive: Receive, scope: Scope) -> tuple[ImageVariation, Picture]:
    """Raises InvalidRequest or TooLarge, by the field's name."""
    form = await _form(receive, scope)
    return _checked(ImageVariation, form), await _only_picture(form)


async def _form(receive: Receive, scope: Scope) -> Form:
    return await read_form(receive, _content_type(scope), FILES, FIELD_BYTES)


def _content_type(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), "")


async def _only_picture(form: Form) -> Picture:
    images = [file for file in form.files if file.param != "mask"]
    if not images:
        raise InvalidRequest("send a picture as `image`", param="image")
    if len(images) > 1:
        raise InvalidRequest("these models start from one picture", param="image", code="unsupported_value")
    return await _read(images[0].data, "image")


async def _referred(ref: ImageRef, param: str, files: Files) -> Picture:
    store, owner = files
    return await _read(await fetch(ref, param, store, owner), param)


async def _read(data: bytes | bytearray, param: str) -> Picture:
    return await asyncio.get_running_loop().run_in_executor(THREADS, read_picture, bytes(data), param)


def _checked_json(scope: Scope) -> ImageEdit:
    body = json_object(scope)
    try:
        edit = ImageEdit.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), body) from None
    if edit.face_id is not None:
        raise InvalidRequest("faces are put in by the gateway", param="face_id")
    return edit


def _checked(kind: type[Fields], form: Form) -> Fields:
    fields: dict[str, Any] = form.fields
    try:
        return kind.model_validate_strings(fields)
    except ValidationError as error:
        raise from_validation(error.errors(), fields) from None
