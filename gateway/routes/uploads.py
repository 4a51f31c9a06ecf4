"""/v1/uploads: create, add parts, complete or cancel."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from gateway.keys import Key, caller
from gateway.multipart import read_upload
from gateway.routes.files import shown
from gateway.uploads import Status, Upload, UploadStore
from shared.errors import TooLarge
from shared.files import StoredFile
from shared.multipart import media_type
from shared.wire.uploads import CompleteRequest, PartObject, UploadObject, UploadRequest

FORM: dict[str, Any] = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string", "format": "binary"}},
}
BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}}


async def upload_store(request: Request) -> UploadStore:
    return request.app.state.uploads


Caller = Annotated[Key, Depends(caller)]
Uploads = Annotated[UploadStore, Depends(upload_store)]

router = APIRouter(prefix="/v1/uploads", tags=["files"])


@router.post("")
async def create(body: UploadRequest, request: Request, key: Caller, uploads: Uploads) -> UploadObject:
    """Announce a file; its parts have an hour to come."""
    most = request.app.state.settings.file_limit_bytes
    if body.bytes > most:
        raise TooLarge(f"a file may have {most} bytes", param="bytes", code="file_too_large")
    kind = media_type(body.mime_type.partition(";")[0].strip())
    upload = uploads.create(key.id, body.filename, body.purpose, body.bytes, kind, body.expires_after_s)
    return _shown(upload, "pending")


@router.post("/{upload_id}/parts", openapi_extra=BODY)
async def add_part(upload_id: str, request: Request, key: Caller, uploads: Uploads) -> PartObject:
    """One piece as multipart/form-data, at most 64 MB; pieces may come side by side."""
    uploads.pending(key.id, upload_id)
    with uploads.draft() as draft:
        await read_upload(request, "data", draft)
        id, now = uploads.add(key.id, upload_id, draft)
    return PartObject(id=id, created_at=now, upload_id=upload_id)


@router.post("/{upload_id}/complete")
async def complete(upload_id: str, body: CompleteRequest, key: Caller, uploads: Uploads) -> UploadObject:
    """Make one file of the parts; a refusal leaves the upload pending."""
    upload = uploads.pending(key.id, upload_id)
    uploads.check_parts(upload, body.part_ids)
    with uploads.files.draft(upload.size_bytes) as draft:
        await asyncio.to_thread(uploads.assemble, upload, body.part_ids, body.md5, draft)
        file = uploads.complete(upload, draft)
    return _shown(upload, "completed", file)


@router.post("/{upload_id}/cancel")
async def cancel(upload_id: str, key: Caller, uploads: Uploads) -> UploadObject:
    upload = uploads.pending(key.id, upload_id)
    uploads.cancel(upload)
    return _shown(upload, "cancelled")


def _shown(upload: Upload, status: Status, file: StoredFile | None = None) -> UploadObject:
    return UploadObject(
        id=upload.id,
        bytes=upload.size_bytes,
        created_at=upload.created,
        expires_at=upload.expires,
        filename=upload.filename,
        purpose=upload.purpose,
        status=status,
        file=file and shown(file),
    )
