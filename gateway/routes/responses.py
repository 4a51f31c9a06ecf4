"""/v1/responses, on top of chat."""

import time
import uuid
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse

from gateway.events import Events
from gateway.keys import Key, caller
from gateway.responses.asked import Asked, Prompt
from gateway.responses.building import Building
from gateway.responses.chat_body import named_as_asked
from gateway.responses.compaction import SUMMARY_TOKENS, asking, pack
from gateway.responses.generating import as_openai, bare_events, later, stream, whole
from gateway.responses.response import response_usage
from gateway.responses.running import Runs
from gateway.responses.store import ResponseStore
from gateway.text import Text
from shared.errors import InvalidRequest
from shared.events import while_connected
from shared.openapi import EVENTS
from shared.paging import Order
from shared.wire.responses import (
    CompactedResponse,
    InputTokens,
    ItemList,
    PromptRequest,
    ResponseDeleted,
    ResponseObject,
    ResponseRequest,
    ResponseUsage,
)

Json = dict[str, Any]
COUNTING_TOKENS = 16
"""Of an answer: OpenAI's models refuse to give a shorter one."""
MAX_NUMBER = 2**31


async def response_store(request: Request) -> ResponseStore:
    return request.app.state.responses


async def response_runs(request: Request) -> Runs:
    return request.app.state.runs


Caller = Annotated[Key, Depends(caller)]
Responses = Annotated[ResponseStore, Depends(response_store)]
Running = Annotated[Runs, Depends(response_runs)]
ANSWER: Any = {200: {"model": ResponseObject}}
ANSWER_OR_EVENTS: Any = {200: {"model": ResponseObject, "content": EVENTS}}
router = APIRouter(prefix="/v1/responses", tags=["text"])


@router.post("", response_model=None, responses=ANSWER_OR_EVENTS)
async def create(body: ResponseRequest, request: Request, key: Caller, store: Responses, runs: Running) -> Response:
    """An answer to `input`, after `previous_response_id` or `conversation` if there is one; with `stream` as events."""
    text: Text = request.app.state.adapter.offered_text()
    asked = Asked(body, key.id, store)
    if body.background:
        run = await runs.start(text, asked)
        return Events(run.follow(-1)) if body.stream else JSONResponse(run.building.response)
    building = Building(body, body.model or "")
    if body.stream:
        return Events(stream(text, asked, building))
    async with while_connected(request.receive):
        response = await whole(text, asked, building)
    return JSONResponse(response)


@router.post("/input_tokens")
async def input_tokens(body: PromptRequest, request: Request, key: Caller, store: Responses) -> InputTokens:
    """How many tokens the model would read, counted by the model itself: an answer is made and dropped."""
    chat = Prompt(body, key.id, store).chat
    if "response_format" not in chat:  # a document may need more tokens, and its schema may be read too
        chat["max_completion_tokens"] = COUNTING_TOKENS
    if chat.get("tool_choice") != "none":  # which tool is called is not read
        chat.pop("tool_choice", None)
    answer = await _chat(request, chat)
    with as_openai():
        return InputTokens(input_tokens=answer["usage"]["prompt_tokens"])


@router.post("/compact")
async def compact(body: PromptRequest, request: Request, key: Caller, store: Responses) -> CompactedResponse:
    """The input as one item that goes on in its place: a summary by the model, and the user's newest words."""
    prompt = Prompt(body, key.id, store)
    chat = {"model": body.model, "messages": asking(prompt.chat["messages"]), "max_completion_tokens": SUMMARY_TOKENS}
    answer = await _chat(request, chat)
    with as_openai():
        summary = str(answer["choices"][0]["message"]["content"] or "")
        usage = ResponseUsage.model_validate(response_usage(answer["usage"]))
    packed = pack(prompt.messages, summary)
    item = {"id": f"cmp_{uuid.uuid4().hex}", "type": "compaction", "encrypted_content": packed}
    return CompactedResponse(id=f"resp_{uuid.uuid4().hex}", created_at=int(time.time()), output=[item], usage=usage)


async def _chat(request: Request, body: Json) -> Any:
    text: Text = request.app.state.adapter.offered_text()
    with named_as_asked():
        async with while_connected(request.receive):
            return orjson.loads(await text.answer("chat/completions", body))


@router.get("/{response_id}", response_model=None, responses=ANSWER_OR_EVENTS)
async def get(
    response_id: str,
    key: Caller,
    store: Responses,
    runs: Running,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1, le=MAX_NUMBER, description="the number of the last event seen")] = -1,
) -> Response:
    """As it stands; with `stream` its events, those still to come too."""
    run = runs.get(key.id, response_id)
    if run is not None:
        return Events(run.follow(starting_after)) if stream else JSONResponse(run.building.response)
    response = store.get(key.id, response_id)
    if not stream:
        return JSONResponse(response)
    events = store.events(response_id) or bare_events(response)
    return Events(_replay(later(events, starting_after)))


async def _replay(events: list[bytes]) -> AsyncGenerator[bytes, None]:
    yield b"".join(events)


@router.delete("/{response_id}")
async def delete(response_id: str, key: Caller, store: Responses, runs: Running) -> ResponseDeleted:
    """What still runs is cancelled first."""
    await runs.cancel(key.id, response_id)
    store.delete(key.id, response_id)
    return ResponseDeleted(id=response_id)


@router.post("/{response_id}/cancel", response_model=None, responses=ANSWER)
async def cancel(response_id: str, key: Caller, store: Responses, runs: Running) -> Response:
    """The response at its end, also when that came before."""
    if not store.get(key.id, response_id)["background"]:
        raise InvalidRequest("only a response in the background can be cancelled", param="response_id")
    await runs.cancel(key.id, response_id)
    return JSONResponse(store.get(key.id, response_id))


@router.get("/{response_id}/input_items", response_model=None, responses={200: {"model": ItemList}})
async def input_items(
    response_id: str,
    key: Caller,
    store: Responses,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> Json:
    items = store.items(key.id, response_id)
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise InvalidRequest(f"there is no item {after[:80]!r}", param="after")
    start = ids.index(after) + 1 if after is not None else 0
    return item_list(items[start : start + limit], start + limit < len(items))


def item_list(page: list[Json], more: bool) -> Json:
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return {"object": "list", "data": page, **ends, "has_more": more}
