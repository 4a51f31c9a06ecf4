"""LiteLLM's SDK with the suite behind its `openai/` route."""

import json
import os
from typing import Any, Literal

import litellm
import pytest
from pydantic import BaseModel

litellm.num_retries = 0
ASK: Any = [{"role": "user", "content": "Write a headline for a bakery."}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "book",
        "parameters": {
            "type": "object",
            "properties": {"guests": {"type": "integer"}, "day": {"enum": ["monday", "friday"]}},
            "required": ["guests", "day"],
            "additionalProperties": False,
        },
    },
}


class Product(BaseModel):
    name: str
    size: Literal["small", "large"]


@pytest.fixture
def body() -> Any:
    return {"model": f"openai/{os.environ['CHAT_MODEL']}", "messages": ASK, "max_tokens": 24, "seed": 7}


def test_completion(body: Any):
    answer: Any = litellm.completion(**body)
    assert answer.choices[0].message.content and answer.usage.completion_tokens > 0


async def test_acompletion(body: Any):
    answer: Any = await litellm.acompletion(**body)
    assert answer.choices[0].message.content


def test_stream(body: Any):
    whole: Any = litellm.completion(**body)
    chunks: Any = list(litellm.completion(**body, stream=True, stream_options={"include_usage": True}))
    rebuilt: Any = litellm.stream_chunk_builder(chunks, messages=ASK)
    assert rebuilt.choices[0].message.content == whole.choices[0].message.content
    assert rebuilt.usage.completion_tokens == whole.usage.completion_tokens


async def test_astream(body: Any):
    stream: Any = await litellm.acompletion(**body, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


def test_tools(body: Any):
    answer: Any = litellm.completion(**body | {"max_tokens": 200}, tools=[TOOL], tool_choice="required")
    call = answer.choices[0].message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"guests", "day"}
    assert answer.choices[0].finish_reason == "tool_calls"


def test_tools_streamed(body: Any):
    asked = body | {"max_tokens": 200, "tools": [TOOL], "tool_choice": "required"}
    rebuilt: Any = litellm.stream_chunk_builder(list(litellm.completion(**asked, stream=True)), messages=ASK)
    assert set(json.loads(rebuilt.choices[0].message.tool_calls[0].function.arguments)) == {"guests", "day"}


def test_structured_output(body: Any):
    answer: Any = litellm.completion(**body | {"max_tokens": 120}, response_format=Product)
    assert Product.model_validate_json(answer.choices[0].message.content)


def test_text_completion(body: Any):
    answer: Any = litellm.text_completion(
        model=f"text-completion-openai/{os.environ['CHAT_MODEL']}", prompt="the quick", max_tokens=5, logprobs=1
    )
    assert answer.choices[0].text is not None and answer.choices[0].logprobs.tokens


def test_embedding():
    answer: Any = litellm.embedding(model=f"openai/{os.environ['EMBEDDING_MODEL']}", input=["coffee", "yoga"])
    assert len(answer.data) == 2 and len(answer.data[0]["embedding"]) > 8


def test_responses(body: Any):
    answer: Any = litellm.responses(model=body["model"], input="Hello", max_output_tokens=16)
    assert answer.output[0].content[0].text
    events: Any = list(litellm.responses(model=body["model"], input="Hello", max_output_tokens=16, stream=True))
    assert events[0].type == "response.created" and events[-1].type in ("response.completed", "response.incomplete")


def test_errors_are_told_apart(body: Any):
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**body | {"model": "openai/no-such-model"})
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(**body, api_key="sk-wrong")
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**body | {"messages": [{"role": "user", "content": "fox " * 3000}]})
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(**body, temperature=9)
