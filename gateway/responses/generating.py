"""A response's events as they come from chat."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from typing import Any

import orjson

from gateway.responses.asked import Asked
from gateway.responses.building import OVER, Building
from gateway.responses.chat_body import named_as_asked
from gateway.text import Text
from shared.errors import InvalidRequest, ServiceError, UpstreamFailed

Json = dict[str, Any]


def encode(event: Json) -> bytes:
    return b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def later(events: list[bytes], after: int) -> list[bytes]:
    """Those with numbers above `after`; at least the last one, since who asks waits for the end."""
    rest = events[after + 1 :]
    if rest:
        return rest
    last = orjson.loads(events[-1].partition(b"\ndata: ")[2])
    return [encode({**last, "sequence_number": after + 1})]


def bare_events(response: Json) -> list[bytes]:
    """For a response of which nothing but its state is known."""
    begun: Json = {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
    state: Json = {"type": f"response.{response['status']}", "response": response}
    return [encode({**event, "sequence_number": number}) for number, event in enumerate((begun, state))]


async def generate(text: Text, asked: Asked, building: Building) -> AsyncGenerator[Json, None]:
    """Events up to the last; a ServiceError before the first is raised, a later one is `response.failed`."""
    begun = False
    usage: Json | None = None
    try:
        async with aclosing(_chunks(text, asked)) as chunks:
            async for chunk in chunks:
                if not begun:
                    begun = True
                    for event in building.start(chunk.get("model")):
                        yield event
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices") or ():
                    with as_openai():
                        for event in building.feed(choice):
                            yield event
        if not begun:
            raise UpstreamFailed("the upstream's stream was empty")
    except ServiceError as error:
        if not begun:
            raise
        yield building.fail(error)
        return
    for event in building.end(usage):
        yield event


async def stream(text: Text, asked: Asked, building: Building) -> AsyncGenerator[bytes, None]:
    """The same as server-sent events; a response is kept before its last event is sent."""
    events: list[bytes] = []
    async with aclosing(generate(text, asked, building)) as made:
        async for event in made:
            events.append(encode(event))
            if event["type"] in OVER and building.response["status"] != "failed":
                asked.keep(building.response, events)
            yield events[-1]


async def whole(text: Text, asked: Asked, building: Building) -> Json:
    """The response at its end, kept. Raises ServiceErrors."""
    answer = await _answer(text, asked)
    events = [encode(event) for event in building.start(answer.get("model"))]
    with as_openai():
        events += [encode(event) for event in building.feed(answer["choices"][0])]
    events += [encode(event) for event in building.end(answer.get("usage"))]
    asked.keep(building.response, events)
    return building.response


@contextmanager
def as_openai() -> Generator[None]:
    """Translates what cannot be read in an upstream's answer into UpstreamFailed."""
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise UpstreamFailed("the upstream's answer is not what OpenAI's would be") from error


async def _answer(text: Text, asked: Asked) -> Json:
    body = asked.chat
    while True:
        try:
            with named_as_asked():
                return orjson.loads(await text.answer("chat/completions", body))
        except InvalidRequest as error:
            body = _shorten(asked, body, error)


async def _chunks(text: Text, asked: Asked) -> AsyncGenerator[Json, None]:
    body = asked.chat
    more = {"stream": True, "stream_options": {"include_usage": True}}
    while True:
        try:
            with named_as_asked():
                async with aclosing(text.stream("chat/completions", {**body, **more})) as blocks:
                    async for block in blocks:
                        for chunk in _parsed(block):
                            yield chunk
                return
        except InvalidRequest as error:
            body = _shorten(asked, body, error)


def _shorten(asked: Asked, body: Json, error: InvalidRequest) -> Json:
    """With `truncation: auto`, the chat without its older half; else, or where nothing is left, raises `error`."""
    messages: list[Json] = body["messages"]
    told = messages[:1] if asked.body.instructions else []
    said = messages[len(told) :]
    left = said[(len(said) + 1) // 2 :]
    while left and left[0]["role"] == "tool":  # its call is gone
        left = left[1:]
    if asked.body.truncation != "auto" or error.code != "context_length_exceeded" or not left:
        raise error
    return {**body, "messages": [*told, *left]}


def _parsed(block: bytes) -> list[Json]:
    try:
        lines = [event[5:].strip() for event in block.split(b"\n\n") if event.startswith(b"data:")]
        return [orjson.loads(line) for line in lines if line != b"[DONE]"]
    except ValueError as error:
        raise UpstreamFailed("the upstream's stream is not what OpenAI's would be") from error
