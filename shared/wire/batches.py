"""`/v1/batches`: OpenAI's batch, its list, and what a request may say."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.wire.files import ExpiresAfter
from shared.wire.text import Wire

Endpoint = Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]


class BatchRequest(Wire):
    input_file_id: str = Field(min_length=1, description="id of an uploaded file of purpose batch")
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchError(Wire):
    code: str
    message: str
    param: str | None = None
    line: int | None = None
    """From 1."""


class BatchErrors(Wire):
    object: Literal["list"] = "list"
    data: list[BatchError]


class RequestCounts(Wire):
    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(Wire):
    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: str
    status: Status
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    """Unix seconds, as every time here."""
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    metadata: dict[str, str] | None = None


class BatchList(Wire):
    object: Literal["list"] = "list"
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool
