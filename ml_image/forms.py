"""What an edit or a variation brings: a form with files, or JSON with pictures by reference."""

import asyncio
from typing import Any, TypeVar

from PIL.Image import Image as Picture
from pydantic import ValidationError

from ml_image.edits import Edit
from shared.app import from_validation
from shared.asgi import Receive, Scope
from shared.errors import InvalidRequest
from shared.multipart import Form, FormFile, read_form
from shared.pictures import read_picture
from shared.wire.images import MAX_INPUTS, PROMPT_CHARS, EditFields, ImageVariation, Output

FILES = {"image": 1, "image[]": MAX_INPUTS, "mask": 1}
FORM_BYTES = 64 << 20
JSON_BYTES = 96 << 20
"""Pictures in data: URLs are a third larger."""
FIELD_BYTES = 4 * PROMPT_CHARS
Fields = TypeVar("Fields", bound=Output)


async def read_edit(receive: Receive, scope: Scope) -> tuple[EditFields, Edit]:
    """Raises InvalidRequest or TooLarge, by the field's name."""
    form = await _form(receive, scope)
    body = _checked(EditFields, form)
    mask = next((file for file in form.files if file.param == "mask"), None)
    return body, Edit(await _only_picture(form), await _read(mask, "mask") if mask else None, body.strength)


async def read_variation(receive: Receive, scope: Scope) -> tuple[ImageVariation, Picture]:
    """Raises InvalidRequest or TooLarge, by the field's name."""
    form = await _form(receive, scope)
    return _checked(ImageVariation, form), await _only_picture(form)


async def _form(receive: Receive, scope: Scope) -> Form:
    kinds = [value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"]
    return await read_form(receive, kinds[0] if kinds else None, FILES, FIELD_BYTES)


async def _only_picture(form: Form) -> Picture:
    images = [file for file in form.files if file.param != "mask"]
    if not images:
        raise InvalidRequest("send a picture as `image`", param="image")
    if len(images) > 1:
        raise InvalidRequest("these models start from one picture", param="image", code="unsupported_value")
    return await _read(images[0], "image")


async def _read(file: FormFile, param: str) -> Picture:
    """In a thread, bytes checked by their header before anything is decoded."""
    return await asyncio.to_thread(read_picture, bytes(file.data), param)


def _checked(kind: type[Fields], form: Form) -> Fields:
    fields: dict[str, Any] = form.fields
    try:
        return kind.model_validate_strings(fields)
    except ValidationError as error:
        raise from_validation(error.errors(), fields) from None
