"""Stored chat completions: OpenAI's objects for listing, updating and deleting them, and for what was asked."""

from typing import Annotated, Any, Literal

from pydantic import Field

from shared.wire.text import Wire

Label = Annotated[str, Field(min_length=1, max_length=64)]
Metadata = Annotated[dict[Label, Annotated[str, Field(max_length=512)]], Field(max_length=16)]


class KeepRequest(Wire):
    """What a chat request says about keeping its answer."""

    store: bool
    metadata: Metadata | None = None
    messages: list[dict[str, Any]]


class CompletionUpdate(Wire):
    metadata: Metadata | None = Field(description="replaces what was there; null for none")


class StoredCompletion(Wire):
    """A chat completion as it was answered, and its metadata."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None = None
    metadata: dict[str, str]


class CompletionList(Wire):
    object: Literal["list"] = "list"
    data: list[StoredCompletion]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CompletionDeleted(Wire):
    id: str
    object: Literal["chat.completion.deleted"] = "chat.completion.deleted"
    deleted: bool = True


class StoredMessage(Wire):
    """A message of the request; text and pictures sent as parts are in `content_parts`."""

    id: str
    role: str
    content: str | None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    content_parts: list[dict[str, Any]] | None = None


class MessageList(Wire):
    object: Literal["list"] = "list"
    data: list[StoredMessage]
    first_id: str | None
    last_id: str | None
    has_more: bool
