"""What an image request says, as a form or as JSON; its pictures are read before anything else happens."""

from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError

from gateway.faces.sources import with_placement
from gateway.images import ImageCall
from gateway.pictures import Seen, see
from shared.app import from_validation
from shared.body import json_object
from shared.errors import InvalidRequest
from shared.files import FileStore
from shared.multipart import Form, FormFile, read_form
from shared.references import fetch
from shared.wire.images import MAX_INPUTS, PROMPT_CHARS, FacedEditFields, ImageEdit, ImageVariation, Output

FORM_BYTES = 64 << 20
"""All pictures of one form together: they are held in memory until the answer is there."""
FIELD_BYTES = 4 * PROMPT_CHARS
Fields = TypeVar("Fields", bound=Output)
FILES = {"image": MAX_INPUTS, "image[]": MAX_INPUTS, "mask": 1}


@dataclass(frozen=True)
class Asked:
    wanted: Output
    call: ImageCall


async def read_edit(request: Request, files: FileStore, key_id: str) -> tuple[Asked, FacedEditFields]:
    """What to ask for, and what was said. Raises InvalidRequest, TooLarge or NotFound, by the field's name."""
    if (request.headers.get("content-type") or "").lower().startswith("multipart/"):
        form = await _form(request)
        wanted = _checked(FacedEditFields, form)
        images = [file for file in form.files if file.param != "mask"]
        if not 1 <= len(images) <= MAX_INPUTS:
            raise InvalidRequest(f"send 1 to {MAX_INPUTS} pictures as `image` or `image[]`", param="image")
        alone = len(images) == 1
        seen = [await see(bytes(file.data), "image" if alone else f"image[{i}]") for i, file in enumerate(images)]
        mask = await _form_mask(form)
        return Asked(wanted, _edit(dict(form.fields), seen, mask)), wanted
    body = json_object(request.scope)
    try:
        edit = ImageEdit.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), body) from None
    refs = [(ref, f"images[{i}]") for i, ref in enumerate(edit.images)] + ([(edit.mask, "mask")] if edit.mask else [])
    room = FORM_BYTES
    seen: list[Seen] = []
    for ref, param in refs:
        data = await fetch(ref, param, files, key_id, room)
        room -= len(data)
        seen.append(await see(data, param))
    mask = seen.pop() if edit.mask else None
    fields = {name: value for name, value in body.items() if name not in ("images", "mask")}
    return Asked(edit, _edit(fields, seen, mask)), edit


async def read_variation(request: Request) -> Asked:
    """Raises InvalidRequest or TooLarge, by the field's name."""
    form = await _form(request)
    wanted = _checked(ImageVariation, form)
    images = [file for file in form.files if file.param == "image"]
    if len(images) != 1:
        raise InvalidRequest("send one picture as `image`", param="image")
    seen = await see(bytes(images[0].data), "image")
    return Asked(wanted, ImageCall("variations", dict(form.fields), (seen.picture,)))


async def _form(request: Request) -> Form:
    return await read_form(request.receive, request.headers.get("content-type"), FILES, FIELD_BYTES)


async def _form_mask(form: Form) -> Seen | None:
    masks: list[FormFile] = [file for file in form.files if file.param == "mask"]
    return await see(bytes(masks[0].data), "mask") if masks else None


def _checked(kind: type[Fields], form: Form) -> Fields:
    try:
        return kind.model_validate_strings(with_placement(form.fields))
    except ValidationError as error:
        raise from_validation(error.errors(), form.fields) from None


def _edit(fields: dict[str, Any], seen: list[Seen], mask: Seen | None) -> ImageCall:
    """Raises InvalidRequest for a mask that does not fit."""
    if mask is not None:
        if mask.size != seen[0].size:
            sizes = " but ".join("{}x{}".format(*each.size) for each in (mask, seen[0]))
            raise InvalidRequest(f"the mask must be as large as the first picture: it is {sizes}", param="mask")
        if not mask.transparent:
            raise InvalidRequest("the mask has no transparency: what is transparent in it changes", param="mask")
    return ImageCall("edits", fields, tuple(each.picture for each in seen), mask.picture if mask else None)
