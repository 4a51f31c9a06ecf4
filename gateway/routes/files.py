"""/v1/files: uploaded and generated files of the caller's key."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from gateway.keys import Key, caller
from gateway.multipart import read_upload
from shared.app import from_validation
from shared.blobs import Draft
from shared.errors import InvalidRequest
from shared.files import FileStore, StoredFile
from shared.jsonl import check_jsonl
from shared.paging import Order
from shared.wire.files import LINES, FileDeleted, FileList, FileObject, FileRequest

CHUNK_BYTES = 256 << 10
PAGE = 10_000
FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string"},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
    },
}
BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}}


async def file_store(request: Request) -> FileStore:
    return request.app.state.files


Caller = Annotated[Key, Depends(caller)]
Files = Annotated[FileStore, Depends(file_store)]

router = APIRouter(prefix="/v1/files", tags=["files"])


@router.post("", openapi_extra=BODY)
async def create(request: Request, key: Caller, files: Files) -> FileObject:
    """Upload one file as multipart/form-data; files for batch and fine-tune are JSON lines."""
    with files.draft(request.app.state.settings.file_limit_bytes) as draft:
        fields, sent = await read_upload(request, "file", draft)
        wanted = parse_fields(fields)
        await check_content(draft, wanted.purpose)
        file = files.put(key.id, draft, sent.filename, wanted.purpose, sent.media_type, wanted.expires_after_s)
    return shown(file)


@router.get("")
async def list_files(
    key: Caller,
    files: Files,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    order: Order = "desc",
    purpose: str | None = None,
) -> FileList:
    found, more = files.list(key.id, after, limit, order, purpose)
    data = [shown(file) for file in found]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return FileList(data=data, first_id=ends[0], last_id=ends[1], has_more=more)


@router.get("/{file_id}")
async def get(file_id: str, key: Caller, files: Files) -> FileObject:
    return shown(files.get(key.id, file_id))


@router.delete("/{file_id}")
async def delete(file_id: str, key: Caller, files: Files) -> FileDeleted:
    files.delete(key.id, file_id)
    return FileDeleted(id=file_id)


@router.get("/{file_id}/content", response_class=StreamingResponse)
async def content(file_id: str, key: Caller, files: Files) -> StreamingResponse:
    """The bytes, always as an attachment: an uploaded page must not run in a browser as ours."""
    return send_file(*files.open(key.id, file_id))


def send_file(file: StoredFile, opened: BinaryIO, inline: bool = False) -> StreamingResponse:
    """`inline` is for what the gateway itself made: a browser may show it."""
    disposition = "inline" if inline else "attachment"
    headers = {
        "content-length": str(file.size_bytes),
        "content-disposition": f"{disposition}; filename*=utf-8''{quote(file.filename, safe='')}",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(_chunks(opened), media_type=file.media_type, headers=headers)


async def _chunks(opened: BinaryIO) -> AsyncGenerator[bytes, None]:
    with opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk


def parse_fields(fields: dict[str, str]) -> FileRequest:
    """The form's fields as the wire's type; raises InvalidRequest."""
    body: dict[str, Any] = {name: fields[name] for name in ("purpose",) if name in fields}
    after: dict[str, Any] = {}
    for name in ("anchor", "seconds"):
        if f"expires_after[{name}]" in fields:
            after[name] = fields[f"expires_after[{name}]"]
    if "seconds" in after:
        after["seconds"] = _whole(after["seconds"])
    if after:
        body["expires_after"] = after
    try:
        return FileRequest.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), body) from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest("expires_after.seconds must be a whole number", param="expires_after.seconds")
    return int(text)


async def check_content(draft: Draft, purpose: str) -> None:
    """Raises InvalidRequest on `file` when the purpose wants JSON lines and this is something else."""
    if purpose in LINES:
        with draft.path.open("rb") as file:
            await asyncio.to_thread(check_jsonl, file, "file")


def shown(file: StoredFile) -> FileObject:
    return FileObject(
        id=file.id,
        bytes=file.size_bytes,
        created_at=file.created,
        expires_at=file.expires,
        filename=file.filename,
        purpose=file.purpose,
    )
