"""`/v1/uploads`: a large file in parts, put together when it is complete."""

from typing import Literal

from pydantic import Field

from shared.wire.files import NAME_CHARS, FileObject, FileRequest
from shared.wire.text import Wire

MAX_PARTS = 10_000


class UploadRequest(FileRequest):
    filename: str = Field(min_length=1, max_length=NAME_CHARS)
    bytes: int = Field(ge=1, description="of the whole file")
    mime_type: str = Field(min_length=1, max_length=200)


class CompleteRequest(Wire):
    part_ids: list[str] = Field(min_length=1, max_length=MAX_PARTS, description="in the order of the bytes")
    md5: str | None = Field(default=None, description="of the whole file, in hexadecimal")


class UploadObject(Wire):
    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: FileObject | None = None


class PartObject(Wire):
    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str
