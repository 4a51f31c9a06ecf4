"""Chat completions: whole, streamed, and by the client's helpers."""

import json
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

ASK: Any = [{"role": "user", "content": "Write a headline for a bakery called Morning Crust."}]


class Product(BaseModel):
    name: str
    size: Literal["small", "large"]
    price: int


class Book(BaseModel):
    """Book a table."""

    guests: int
    day: Literal["monday", "friday"]


class Cancel(BaseModel):
    """Cancel a table."""

    reason: Literal["ill", "late"]


TOOLS: Any = [openai.pydantic_function_tool(Book), openai.pydantic_function_tool(Cancel)]
CUSTOM: Any = {
    "type": "custom",
    "custom": {
        "name": "code",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[A-Z]{3}-[0-9]{2}"}},
    },
}
LARK: Any = {
    "type": "custom",
    "custom": {
        "name": "sum",
        "format": {
            "type": "grammar",
            "grammar": {"syntax": "lark", "definition": 'start: NUM "+" NUM\nNUM: /[0-9]{1,3}/'},
        },
    },
}


@pytest.fixture
def body(model: str) -> Any:
    return {"model": model, "messages": ASK, "max_tokens": 24, "seed": 7}


def test_whole(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.create(**body)
    assert answer.object == "chat.completion" and answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content and answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage and 1 <= answer.usage.completion_tokens <= 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream_says_the_same(client: openai.OpenAI, body: Any):
    whole = client.chat.completions.create(**body)
    chunks = list(client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert (text, ends) == (whole.choices[0].message.content, [whole.choices[0].finish_reason])
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_stream_without_usage(client: openai.OpenAI, body: Any):
    options: Any = {"include_obfuscation": False}
    chunks = list(client.chat.completions.create(**body, stream=True, stream_options=options))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_n(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.create(**body, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    chunks = list(client.chat.completions.create(**body, n=3, stream=True))
    ended = sorted(choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason)
    assert ended == [0, 1, 2]


def test_logprobs(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.create(**body, logprobs=True, top_logprobs=3)
    found = answer.choices[0].logprobs
    assert found and found.content and all(len(token.top_logprobs) == 3 for token in found.content)
    assert "".join(token.token for token in found.content if not token.token.startswith("bytes:")) != ""


def test_logprobs_streamed(client: openai.OpenAI, body: Any):
    whole = client.chat.completions.create(**body, logprobs=True)
    chunks = list(client.chat.completions.create(**body, logprobs=True, stream=True))
    tokens = [t.token for c in chunks for o in c.choices if o.logprobs for t in o.logprobs.content or []]
    assert whole.choices[0].logprobs
    assert tokens == [token.token for token in whole.choices[0].logprobs.content or []]


def test_stop(client: openai.OpenAI, body: Any):
    free = client.chat.completions.create(**body).choices[0].message.content or ""
    stop = free[len(free) // 2 :][:2]
    answer = client.chat.completions.create(**body, stop=[stop])
    assert answer.choices[0].message.content == free.partition(stop)[0]
    assert answer.choices[0].finish_reason == "stop"
    chunks = client.chat.completions.create(**body, stop=stop, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == free.partition(stop)[0]


def test_seed(client: openai.OpenAI, body: Any):
    said = {client.chat.completions.create(**body, temperature=1).choices[0].message.content for _ in range(3)}
    assert len(said) == 1


def test_max_completion_tokens(client: openai.OpenAI, model: str):
    answer = client.chat.completions.create(model=model, messages=ASK, max_completion_tokens=2)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage and answer.usage.completion_tokens == 2


def test_sampling_fields(client: openai.OpenAI, body: Any):
    fields: Any = {"temperature": 0.7, "top_p": 0.9, "presence_penalty": 0.5, "frequency_penalty": -0.5}
    assert client.chat.completions.create(**body, **fields, logit_bias={"5": -100, "6": 3}).choices


def test_hints(client: openai.OpenAI, body: Any):
    hints: Any = {
        "reasoning_effort": "low",
        "verbosity": "low",
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
        "metadata": {"a": "b"},
        "modalities": ["text"],
        "prediction": {"type": "content", "content": "Fresh bread"},
    }
    extra = {"ignore_eos": True, "top_k": 5, "unknown_field": {"x": 1}}
    assert client.chat.completions.create(**body, **hints, extra_body=extra).choices[0].message.content


def test_parts_and_roles(client: openai.OpenAI, model: str):
    messages: Any = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], "name": "ann"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "Hello"},
    ]
    assert client.chat.completions.create(model=model, messages=messages, max_tokens=4).choices


def test_json_object(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.create(**body | {"max_tokens": 80}, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_parse(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.parse(**body | {"max_tokens": 120}, response_format=Product)
    assert isinstance(answer.choices[0].message.parsed, Product)


def test_stream_helper_parses(client: openai.OpenAI, body: Any):
    with client.chat.completions.stream(**body | {"max_tokens": 120}, response_format=Product) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Product)
    assert "content.delta" in kinds and kinds.count("content.done") == 1


def test_stream_helper_logprobs(client: openai.OpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 120, "logprobs": True, "response_format": Product}
    with client.chat.completions.stream(**asked) as stream:
        kinds = {event.type for event in stream}
    assert {"logprobs.content.delta", "logprobs.content.done"} <= kinds


def test_tools_parsed(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.parse(**body | {"max_tokens": 200}, tools=TOOLS, tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"
    for call in answer.choices[0].message.tool_calls or []:
        assert isinstance(call.function.parsed_arguments, Book | Cancel)


def test_tools_by_the_stream_helper(client: openai.OpenAI, body: Any):
    asked = body | {"max_tokens": 200, "tools": TOOLS, "tool_choice": "required"}
    whole = client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    calls = [(call.function.name, call.function.arguments) for call in final.choices[0].message.tool_calls or []]
    expected: Any = whole.choices[0].message.tool_calls
    assert calls == [(call.function.name, call.function.arguments) for call in expected]


@pytest.mark.parametrize("choice", ["auto", "none", "required", "named", "allowed"])
def test_tool_choice(client: openai.OpenAI, body: Any, choice: str):
    chosen: Any = {
        "named": {"type": "function", "function": {"name": "Cancel"}},
        "allowed": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "Book"}}],
            },
        },
    }.get(choice, choice)
    asked = body | {"max_tokens": 200, "tools": TOOLS, "tool_choice": chosen}
    message = client.chat.completions.create(**asked).choices[0].message
    called: Any = {call.function.name for call in message.tool_calls or ()}  # type: ignore[union-attr]
    expected = {"none": [set()], "named": [{"Cancel"}], "allowed": [{"Book"}]}
    assert called in expected.get(choice, [{"Book"}, {"Cancel"}, {"Book", "Cancel"}, set()])
    assert called or (choice in ("auto", "none") and message.content)


@pytest.mark.parametrize("tool", [CUSTOM, LARK], ids=["regex", "lark"])
def test_custom_tools(client: openai.OpenAI, body: Any, tool: Any):
    answer = client.chat.completions.create(**body | {"max_tokens": 100}, tools=[tool], tool_choice="required")
    calls: Any = answer.choices[0].message.tool_calls
    assert calls and all(call.type == "custom" and call.custom.input for call in calls)


def test_one_call_when_not_parallel(client: openai.OpenAI, body: Any):
    asked = body | {"max_tokens": 200, "tools": TOOLS, "tool_choice": "required"}
    answer = client.chat.completions.create(**asked, parallel_tool_calls=False)
    assert len(answer.choices[0].message.tool_calls or []) == 1


def test_a_conversation_with_calls_goes_on(client: openai.OpenAI, body: Any):
    answer = client.chat.completions.create(**body | {"max_tokens": 200}, tools=TOOLS, tool_choice="required")
    calls = answer.choices[0].message.tool_calls or []
    results = [{"role": "tool", "tool_call_id": call.id, "content": "booked"} for call in calls]
    messages: Any = [*ASK, answer.choices[0].message, *results]
    asked: Any = body | {"messages": messages, "tools": TOOLS, "tool_choice": "none"}
    message = client.chat.completions.create(**asked).choices[0].message
    assert message.content is not None and not message.tool_calls
