"""The picture of a request, however it came: as a form's file, in JSON, as an uploaded file, from a public address."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from fastapi import Request
from pydantic import ValidationError

from gateway.faces.composing import Sent, fill
from gateway.keys import Key
from gateway.multipart import read_upload
from shared.app import from_validation
from shared.blobs import Draft
from shared.body import json_object
from shared.errors import InvalidRequest, TooLarge
from shared.files import FileStore
from shared.http import fetch_public
from shared.wire.faces import Picture
from shared.wire.text import Wire

PHOTO_LIMIT_BYTES = 32 << 20
FETCH_S = 20.0
Fields = TypeVar("Fields", bound=Wire)


@asynccontextmanager
async def sent(
    request: Request, key: Key, in_form: type[Fields], in_json: type[Fields]
) -> AsyncGenerator[tuple[Fields, Sent]]:
    """What the request says, and its picture, which is there until the block ends.

    `in_json` is `in_form` with `Picture` beside. Raises InvalidRequest, NotFound, TooLarge or StorageFull.
    """
    with request.app.state.faces.store.draft(PHOTO_LIMIT_BYTES, "image") as draft:
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            fields, _ = await read_upload(request, "image", draft)
            said = _validated(in_form, with_placement(fields), strings=True)
            with draft.path.open("rb") as file:
                yield said, Sent(file)
        else:
            said = _validated(in_json, json_object(request.scope))
            async with _opened(cast(Picture, said), key, request.app.state.files, draft) as picture:
                yield said, picture


@asynccontextmanager
async def _opened(said: Picture, key: Key, files: FileStore, draft: Draft) -> AsyncGenerator[Sent]:
    if said.file_id is not None:
        stored, file = files.open(key.id, said.file_id)
        with file:
            if stored.size_bytes > PHOTO_LIMIT_BYTES:
                raise TooLarge(f"a picture may have {PHOTO_LIMIT_BYTES} bytes", param="file_id", code="file_too_large")
            yield Sent(file, "file_id")
        return
    param = "image" if said.image is not None else "image_url"
    text = said.image or said.image_url or ""
    if param == "image" or text[:5].lower() == "data:":
        yield Sent(_base64(text, param), param, base64=True)
        return
    data = await fetch_public(text, param, most_bytes=PHOTO_LIMIT_BYTES, within_s=FETCH_S)
    await asyncio.to_thread(fill, draft, data)
    del data  # on the disk it waits for its turn without taking memory
    with draft.path.open("rb") as file:
        yield Sent(file, param)


def _base64(text: str, param: str) -> bytes:
    """The base64 of `text`, which may be a data: URL, still undecoded. Raises InvalidRequest."""
    if text[:5].lower() == "data:":
        start = text.find(",", 0, 200)
        if start < 0 or not text[:start].lower().endswith(";base64"):
            raise InvalidRequest("a data: URL must say ;base64,", param=param, code="invalid_image")
        text = text[start + 1 :]
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidRequest("it is not valid base64", param=param, code="invalid_image") from None


def _validated(kind: type[Fields], body: dict[str, Any], strings: bool = False) -> Fields:
    try:
        return kind.model_validate_strings(body) if strings else kind.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), body) from None


def with_placement(fields: dict[str, str]) -> dict[str, Any]:
    """`placement` of a form: as JSON, or as `placement[x]`."""
    body: dict[str, Any] = {name: value for name, value in fields.items() if not name.startswith("placement")}
    parts = {name[10:-1]: value for name, value in fields.items() if name[:10] == "placement[" and name[-1] == "]"}
    if "placement" in fields:
        try:
            told: Any = json.loads(fields["placement"])
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise InvalidRequest('placement must be a JSON object such as {"x": 0.3}', param="placement")
        parts |= {name: str(value) for name, value in cast(dict[str, Any], told).items()}
    return {**body, "placement": parts} if parts else body
