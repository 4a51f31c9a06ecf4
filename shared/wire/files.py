"""`/v1/files`: OpenAI's file object, its list, and what a request may say."""

from typing import Literal

from pydantic import Field

from shared.wire.text import Wire

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
LINES = ("batch", "fine-tune")
"""Purposes whose files are JSON lines."""
BATCH_EXPIRES_AFTER_S = 30 * 86400
"""OpenAI's rule for batch files that say nothing."""
NAME_CHARS = 255


class ExpiresAfter(Wire):
    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2_592_000)


class FileRequest(Wire):
    """The fields beside the file."""

    purpose: Purpose
    expires_after: ExpiresAfter | None = None

    @property
    def expires_after_s(self) -> int | None:
        if self.expires_after:
            return self.expires_after.seconds
        return BATCH_EXPIRES_AFTER_S if self.purpose == "batch" else None


class FileObject(Wire):
    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None


class FileList(Wire):
    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(Wire):
    id: str
    object: Literal["file"] = "file"
    deleted: bool = True
