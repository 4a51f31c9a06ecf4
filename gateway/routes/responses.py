"""/v1/responses, on top of chat."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from gateway.keys import Key, caller
from gateway.responses.building import Building
from gateway.responses.items import chat_body, items_of, to_messages
from gateway.responses.store import ResponseStore
from gateway.text import Text
from shared.asgi import Receive, Scope, Send
from shared.errors import InvalidRequest, ServiceError, UpstreamFailed
from shared.events import send_events, while_connected
from shared.wire.responses import ResponseDeleted, ResponseRequest

Json = dict[str, Any]


async def response_store(request: Request) -> ResponseStore:
    return request.app.state.responses


Caller = Annotated[Key, Depends(caller)]
Responses = Annotated[ResponseStore, Depends(response_store)]
router = APIRouter(prefix="/v1/responses", tags=["text"])


class Asked:
    """One request on its way through chat. Raises InvalidRequest, NotFound."""

    def __init__(self, body: ResponseRequest, key: Key, store: ResponseStore) -> None:
        self.body, self.key, self.store = body, key, store
        self.items = [{"id": f"msg_{uuid.uuid4().hex}", **item} for item in items_of(body.input)]
        past = store.messages(key.id, body.previous_response_id) if body.previous_response_id else []
        self.messages = [*past, *to_messages(items_of(body.input))]
        told = [{"role": "system", "content": body.instructions}] if body.instructions else []
        self.chat = chat_body(body, [*told, *self.messages])

    def keep(self, response: Json) -> None:
        if self.body.store is not False:
            answer = to_messages(response["output"], "output") if response["output"] else []
            self.store.add(self.key.id, response, self.items, [*self.messages, *answer])


@router.post("", response_model=None)
async def create(body: ResponseRequest, request: Request, key: Caller, store: Responses) -> Response:
    """An answer to `input`, after `previous_response_id` if there is one; with `stream` as events."""
    text: Text = request.app.state.adapter.offered_text()
    asked = Asked(body, key, store)
    if body.stream:
        return _Events(_stream(text, asked))
    async with while_connected(request.receive):
        answer: Any = orjson.loads(await text.answer("chat/completions", asked.chat))
    building = Building(body, str(answer.get("model")))
    try:
        list(building.feed(answer["choices"][0]))
    except (LookupError, TypeError, AttributeError) as error:
        raise UpstreamFailed("the upstream's answer is not what OpenAI's would be") from error
    list(building.end(answer.get("usage")))
    asked.keep(building.response)
    return JSONResponse(building.response)


async def _stream(text: Text, asked: Asked) -> AsyncGenerator[bytes, None]:
    building: Building | None = None
    usage: Json | None = None
    body = {**asked.chat, "stream": True, "stream_options": {"include_usage": True}}
    try:
        async with aclosing(text.stream("chat/completions", body)) as blocks:
            async for block in blocks:
                for chunk in _chunks(block):
                    if building is None:
                        building = Building(asked.body, str(chunk.get("model")))
                        for event in building.start():
                            yield _encode(event)
                    usage = chunk.get("usage") or usage
                    for choice in chunk.get("choices") or ():
                        for event in building.feed(choice):
                            yield _encode(event)
    except ServiceError as error:
        if building is None:  # nothing was sent: the error has its status
            raise
        yield _encode(building.fail(error))
        return
    if building is None:
        raise UpstreamFailed("the upstream's stream was empty")
    last = [_encode(event) for event in building.end(usage)]
    asked.keep(building.response)
    for event in last:
        yield event


def _chunks(block: bytes) -> list[Json]:
    try:
        lines = [event[5:].strip() for event in block.split(b"\n\n") if event.startswith(b"data:")]
        return [orjson.loads(line) for line in lines if line != b"[DONE]"]
    except ValueError as error:
        raise UpstreamFailed("the upstream's stream is not what OpenAI's would be") from error


def _encode(event: Json) -> bytes:
    return b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


class _Events(Response):
    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(media_type="text/event-stream")
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(scope, receive, send, self.events)


@router.get("/{response_id}", response_model=None)
async def get(response_id: str, key: Caller, store: Responses, stream: bool = False) -> Json:
    if stream:
        raise InvalidRequest("a kept response cannot be streamed again yet", param="stream", code="not_offered")
    return store.get(key.id, response_id)


@router.delete("/{response_id}")
async def delete(response_id: str, key: Caller, store: Responses) -> ResponseDeleted:
    store.delete(key.id, response_id)
    return ResponseDeleted(id=response_id)


@router.get("/{response_id}/input_items", response_model=None)
async def input_items(
    response_id: str,
    key: Caller,
    store: Responses,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> Json:
    items = [_listed(item) for item in store.items(key.id, response_id)]
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise InvalidRequest(f"there is no item {after[:80]!r}", param="after")
    start = ids.index(after) + 1 if after is not None else 0
    page = items[start : start + limit]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return {"object": "list", "data": page, **ends, "has_more": start + limit < len(items)}


def _listed(item: Json) -> Json:
    """A message's text as a part, which is how OpenAI lists it."""
    content = item.get("content")
    if not isinstance(content, str):
        return item
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    return {"type": "message", "status": "completed", **item, "content": [{"type": kind, "text": content}]}
