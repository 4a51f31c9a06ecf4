"""/v1/conversations: chats that grow item by item, by hand or by /v1/responses."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from gateway.keys import Key, caller
from gateway.responses.conversations import ConversationStore
from gateway.responses.items import kept_item, to_messages
from gateway.routes.responses import item_list
from shared.paging import Order
from shared.wire.conversations import (
    Conversation,
    ConversationCreate,
    ConversationDeleted,
    ConversationUpdate,
    ItemsCreate,
)
from shared.wire.responses import Item, ItemList

Json = dict[str, Any]


async def conversation_store(request: Request) -> ConversationStore:
    return request.app.state.conversation_store


Caller = Annotated[Key, Depends(caller)]
Conversations = Annotated[ConversationStore, Depends(conversation_store)]
CONVERSATION: Any = {200: {"model": Conversation}}
ITEMS: Any = {200: {"model": ItemList}}
router = APIRouter(prefix="/v1/conversations", tags=["text"])


@router.post("", response_model=None, responses=CONVERSATION)
async def create(key: Caller, conversations: Conversations, body: ConversationCreate | None = None) -> Json:
    items = _read(body.items or []) if body else []
    return conversations.create(key.id, items, (body and body.metadata) or {})


@router.get("/{conversation_id}", response_model=None, responses=CONVERSATION)
async def get(conversation_id: str, key: Caller, conversations: Conversations) -> Json:
    return conversations.get(key.id, conversation_id)


@router.post("/{conversation_id}", response_model=None, responses=CONVERSATION)
async def update(conversation_id: str, body: ConversationUpdate, key: Caller, conversations: Conversations) -> Json:
    """Replace the metadata."""
    return conversations.label(key.id, conversation_id, body.metadata or {})


@router.delete("/{conversation_id}")
async def delete(conversation_id: str, key: Caller, conversations: Conversations) -> ConversationDeleted:
    """Its items go with it; responses that were made in it stay."""
    conversations.delete(key.id, conversation_id)
    return ConversationDeleted(id=conversation_id)


@router.post("/{conversation_id}/items", response_model=None, responses=ITEMS)
async def add_items(conversation_id: str, body: ItemsCreate, key: Caller, conversations: Conversations) -> Json:
    """All of them, or none."""
    items = _read(body.items)
    conversations.add(key.id, conversation_id, items)
    return item_list(items, more=False)


@router.get("/{conversation_id}/items", response_model=None, responses=ITEMS)
async def list_items(
    conversation_id: str,
    key: Caller,
    conversations: Conversations,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> Json:
    return item_list(*conversations.page(key.id, conversation_id, after, limit, order))


@router.get("/{conversation_id}/items/{item_id}", response_model=None, responses={200: {"model": Item}})
async def get_item(conversation_id: str, item_id: str, key: Caller, conversations: Conversations) -> Json:
    return conversations.item(key.id, conversation_id, item_id)


@router.delete("/{conversation_id}/items/{item_id}", response_model=None, responses=CONVERSATION)
async def delete_item(conversation_id: str, item_id: str, key: Caller, conversations: Conversations) -> Json:
    """The conversation without it."""
    return conversations.delete_item(key.id, conversation_id, item_id)


def _read(items: list[Json]) -> list[Json]:
    """In the form in which they are kept. Raises InvalidRequest naming what a chat could not say."""
    to_messages(items, "items")
    return [kept_item(item) for item in items]
