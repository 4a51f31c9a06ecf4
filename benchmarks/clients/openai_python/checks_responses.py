"""Responses and conversations."""

import json
import time
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

ORDER = ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
CLOSING = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]


class Product(BaseModel):
    name: str
    size: Literal["small", "large"]


class Book(BaseModel):
    """Book a table."""

    guests: int
    day: Literal["monday", "friday"]


TOOLS: Any = [openai.pydantic_function_tool(Book)["function"] | {"type": "function"}]


@pytest.fixture
def body(model: str) -> Any:
    return {"model": model, "input": "Write a headline for a bakery.", "max_output_tokens": 24}


def test_create(client: openai.OpenAI, body: Any):
    answer = client.responses.create(**body, instructions="Be brief.", metadata={"a": "b"})
    assert answer.object == "response" and answer.status in ("completed", "incomplete") and answer.output_text
    assert answer.usage and answer.usage.input_tokens > 0 and answer.usage.input_tokens_details.cached_tokens >= 0
    assert answer.metadata == {"a": "b"} and answer.instructions == "Be brief."


def test_cut_by_the_limit(client: openai.OpenAI, body: Any):
    answer = client.responses.create(**body | {"max_output_tokens": 1})
    assert answer.status == "incomplete" and answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_stream(client: openai.OpenAI, body: Any):
    events: Any = list(client.responses.create(**body, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == ORDER and kinds[-4:-1] == CLOSING
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[-1].response.output_text == text != ""


def test_stream_helper(client: openai.OpenAI, body: Any):
    with client.responses.stream(**body) as stream:
        events: Any = list(stream)
    said = [event.snapshot for event in events if event.type == "response.output_text.delta"]
    assert said and said[-1] == events[-1].response.output_text


def test_parse(client: openai.OpenAI, body: Any):
    answer = client.responses.parse(**body | {"max_output_tokens": 120}, text_format=Product)
    assert isinstance(answer.output_parsed, Product)
    with client.responses.stream(**body | {"max_output_tokens": 120}, text_format=Product) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Product)


def test_json_object(client: openai.OpenAI, body: Any):
    asked: Any = body | {"max_output_tokens": 120, "text": {"format": {"type": "json_object"}}}
    assert isinstance(json.loads(client.responses.create(**asked).output_text), dict)


def test_tools(client: openai.OpenAI, body: Any):
    asked: Any = body | {"max_output_tokens": 200, "tools": TOOLS, "tool_choice": "required"}
    answer = client.responses.create(**asked)
    call = answer.output[0]
    assert call.type == "function_call" and Book.model_validate_json(call.arguments)
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "booked"}
    asked |= {"input": [result], "previous_response_id": answer.id, "tool_choice": "none"}
    assert client.responses.create(**asked).output_text


def test_tools_streamed(client: openai.OpenAI, body: Any):
    asked: Any = body | {"max_output_tokens": 200, "tools": TOOLS, "tool_choice": "required"}
    events: Any = list(client.responses.create(**asked, stream=True))
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    first = [event.output_index for event in events if event.type == "response.output_item.added"]
    assert Book.model_validate_json(done.arguments) and "".join(pieces).startswith(done.arguments) and first[0] == 0


def test_tools_parsed(client: openai.OpenAI, body: Any):
    tool = openai.pydantic_function_tool(Book)["function"] | {"type": "function"}
    asked: Any = body | {"max_output_tokens": 200, "tools": [tool], "tool_choice": "required"}
    call = client.responses.parse(**asked).output[0]
    assert call.type == "function_call" and call.parsed_arguments


def test_custom_tool(client: openai.OpenAI, body: Any):
    grammar = {"type": "grammar", "syntax": "regex", "definition": "[A-Z]{3}-[0-9]{2}"}
    tool = {"type": "custom", "name": "code", "format": grammar}
    asked: Any = body | {"max_output_tokens": 100, "tools": [tool], "tool_choice": "required"}
    call = client.responses.create(**asked).output[0]
    assert call.type == "custom_tool_call" and len(call.input) == 6


def test_logprobs(client: openai.OpenAI, body: Any):
    answer = client.responses.create(**body, top_logprobs=2, include=["message.output_text.logprobs"])
    part: Any = answer.output[0].content[0]  # type: ignore[union-attr]
    assert part.logprobs and len(part.logprobs[0].top_logprobs) == 2


def test_hints(client: openai.OpenAI, body: Any):
    hints: Any = {
        "reasoning": {"effort": "low"},
        "truncation": "auto",
        "include": ["reasoning.encrypted_content"],
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "text": {"verbosity": "low"},
    }
    assert client.responses.create(**body, **hints).output_text


def test_going_on(client: openai.OpenAI, body: Any):
    first = client.responses.create(**body)
    second = client.responses.create(**body | {"input": "Another"}, previous_response_id=first.id)
    assert second.previous_response_id == first.id and first.usage and second.usage
    assert second.usage.input_tokens > first.usage.input_tokens


def test_kept(client: openai.OpenAI, body: Any):
    made = client.responses.create(**body)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    items = list(client.responses.input_items.list(made.id))
    assert items and items[0].type == "message"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_retrieved_as_a_stream(client: openai.OpenAI, body: Any):
    made = client.responses.create(**body, background=True)
    events: Any = list(client.responses.retrieve(made.id, stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type in ("response.completed", "response.incomplete")
    later: Any = list(client.responses.retrieve(made.id, stream=True, starting_after=2))
    assert [event.sequence_number for event in later] == [event.sequence_number for event in events[3:]]


def test_not_kept(client: openai.OpenAI, body: Any):
    made = client.responses.create(**body, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_background(client: openai.OpenAI, body: Any):
    made = client.responses.create(**body, background=True)
    assert made.status in ("queued", "in_progress", "completed", "incomplete")
    deadline = time.monotonic() + 60
    while made.status in ("queued", "in_progress") and time.monotonic() < deadline:
        time.sleep(0.1)
        made = client.responses.retrieve(made.id)
    assert made.status in ("completed", "incomplete") and made.output_text


def test_cancel(client: openai.OpenAI, body: Any):
    made = client.responses.create(**body | {"max_output_tokens": 900}, background=True)
    assert client.responses.cancel(made.id).status in ("cancelled", "completed", "incomplete")


def test_input_tokens(client: openai.OpenAI, body: Any, model: str):
    counted = client.responses.input_tokens.count(model=model, input=body["input"])
    made = client.responses.create(**body)
    assert made.usage and counted.input_tokens == made.usage.input_tokens


def test_compact(client: openai.OpenAI, body: Any, model: str):
    made = client.responses.create(**body)
    compacted = client.responses.compact(model=model, previous_response_id=made.id)  # type: ignore[arg-type]
    assert compacted.object == "response.compaction" and compacted.output
    going: Any = [*compacted.output, {"role": "user", "content": "Go on"}]
    assert client.responses.create(**body | {"input": going}).output_text


def test_conversation(client: openai.OpenAI, body: Any):
    made = client.conversations.create(
        items=[{"type": "message", "role": "user", "content": "Hello"}], metadata={"a": "b"}
    )
    assert client.conversations.retrieve(made.id).metadata == {"a": "b"}
    assert client.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    answer = client.responses.create(**body, conversation=made.id)
    assert answer.conversation and answer.conversation.id == made.id
    items = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.role for item in items] == ["user", "user", "assistant"]  # type: ignore[union-attr]
    assert client.conversations.delete(made.id).deleted


def test_conversation_items(client: openai.OpenAI):
    made = client.conversations.create()
    wanted: Any = [{"type": "message", "role": "user", "content": f"{i}"} for i in range(3)]
    added = client.conversations.items.create(made.id, items=wanted)
    assert len(added.data) == 3
    ids: Any = [item.id for item in added.data]
    paged: Any = [item.id for item in client.conversations.items.list(made.id, limit=2, order="asc")]
    assert paged == ids
    assert client.conversations.items.retrieve(ids[0], conversation_id=made.id).type == "message"
    client.conversations.items.delete(ids[0], conversation_id=made.id)
    assert len(list(client.conversations.items.list(made.id))) == 2


def test_errors(client: openai.OpenAI, body: Any):
    with pytest.raises(openai.NotFoundError):
        client.responses.create(**body | {"model": "no-such-model"})
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(**body, temperature=9)
    assert error.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(**body, previous_response_id="resp_none")
