"""`/v1/conversations`. Items are OpenAI's objects, read in `gateway/responses/items.py`."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.stored import Metadata
from shared.wire.text import Wire

MAX_ITEMS = 20
"""In one request; a conversation may grow beyond."""


class ConversationCreate(Wire):
    items: list[dict[str, Any]] | None = Field(None, max_length=MAX_ITEMS)
    metadata: Metadata | None = None


class ConversationUpdate(Wire):
    metadata: Metadata | None = Field(description="replaces what was there; null for none")


class ItemsCreate(Wire):
    items: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_ITEMS)


class Conversation(Wire):
    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: dict[str, str]


class ConversationDeleted(Wire):
    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True
