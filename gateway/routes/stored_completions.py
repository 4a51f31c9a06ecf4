"""/v1/chat/completions beside POST: the answers that the caller's key had stored."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request

from gateway.keys import Key, caller
from gateway.stored import CompletionStore, Kept
from shared.errors import NotFound
from shared.labels import METADATA, read_labels
from shared.paging import Order
from shared.wire.stored import (
    CompletionDeleted,
    CompletionList,
    CompletionUpdate,
    MessageList,
    StoredCompletion,
)


async def completion_store(request: Request) -> CompletionStore:
    return request.app.state.stored_completions


Caller = Annotated[Key, Depends(caller)]
Completions = Annotated[CompletionStore, Depends(completion_store)]
Limit = Annotated[int, Query(ge=1, le=100)]

router = APIRouter(prefix="/v1/chat/completions", tags=["text"])


@router.get(
    "", response_model=None, responses={200: {"model": CompletionList}}, openapi_extra={"parameters": [METADATA]}
)
async def list_completions(
    request: Request,
    key: Caller,
    completions: Completions,
    after: str | None = None,
    limit: Limit = 20,
    order: Order = "asc",
    model: str | None = None,
) -> dict[str, Any]:
    found, more = completions.page(key.id, after, limit, order, model, read_labels(request.query_params.multi_items()))
    return _page([_shown(kept) for kept in found], more)


@router.get("/{completion_id}", response_model=None, responses={200: {"model": StoredCompletion}})
async def get(completion_id: str, key: Caller, completions: Completions) -> dict[str, Any]:
    return _shown(completions.get(key.id, completion_id))


@router.post("/{completion_id}", response_model=None, responses={200: {"model": StoredCompletion}})
async def update(completion_id: str, body: CompletionUpdate, key: Caller, completions: Completions) -> dict[str, Any]:
    """Replace the metadata, the only thing that can change."""
    return _shown(completions.label(key.id, completion_id, body.metadata or {}))


@router.delete("/{completion_id}")
async def delete(completion_id: str, key: Caller, completions: Completions) -> CompletionDeleted:
    completions.delete(key.id, completion_id)
    return CompletionDeleted(id=completion_id)


@router.get("/{completion_id}/messages", response_model=None, responses={200: {"model": MessageList}})
async def messages(
    completion_id: str,
    key: Caller,
    completions: Completions,
    after: str | None = None,
    limit: Limit = 20,
    order: Order = "asc",
) -> dict[str, Any]:
    """What was asked, message by message."""
    kept = completions.get(key.id, completion_id)
    found = [_message(kept.id, i, message) for i, message in enumerate(kept.messages)]
    if order == "desc":
        found.reverse()
    if after is not None:
        ids = [message["id"] for message in found]
        if after not in ids:
            raise NotFound(f"no message {after[:80]!r}", code="message_not_found", param="after")
        found = found[ids.index(after) + 1 :]
    return _page(found[:limit], len(found) > limit)


def _page(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": ends[0], "last_id": ends[1], "has_more": more}


def _shown(kept: Kept) -> dict[str, Any]:
    """With all that the provider answered, also what our type of it does not name."""
    return {**kept.completion, "metadata": kept.metadata}


def _message(completion_id: str, i: int, message: dict[str, Any]) -> dict[str, Any]:
    content: Any = message.get("content")
    parts = cast(list[Any], content) if isinstance(content, list) else None
    return {
        "id": f"{completion_id}-{i}",
        "role": message.get("role"),
        "content": content if isinstance(content, str) else None,
        "name": message.get("name"),
        "refusal": message.get("refusal"),
        "tool_calls": message.get("tool_calls"),
        "content_parts": parts and [part for part in parts if _is_shown(part)],
    }


def _is_shown(part: Any) -> bool:
    return isinstance(part, dict) and cast(dict[str, Any], part).get("type") in ("text", "image_url")
