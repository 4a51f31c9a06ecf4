"""OpenAI's client that refuses every answer which does not hold to its types; benchmarks/clients has all of it."""

from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.conftest import Suite

ASK: Any = {"model": "tiny", "messages": [{"role": "user", "content": "A small cake."}], "max_tokens": 8}
RESPOND: Any = {"model": "tiny", "input": "A small cake.", "max_output_tokens": 8}


class Order(BaseModel):
    size: Literal["small", "large"]


@pytest.fixture(scope="module")
def client(suite: Suite) -> Iterator[openai.OpenAI]:
    base_url = f"{suite.url}/v1"
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, _strict_response_validation=True) as made:
        yield made


def test_chat(client: openai.OpenAI):
    assert client.chat.completions.create(**ASK, n=2, logprobs=True, top_logprobs=1).usage
    usage: Any = {"include_usage": True}
    assert list(client.chat.completions.create(**ASK, stream=True, logprobs=True, stream_options=usage))[-1].usage


def test_helpers(client: openai.OpenAI):
    asked: Any = ASK | {"max_tokens": 120}
    assert client.chat.completions.parse(**asked, response_format=Order).choices[0].message.parsed
    tools: Any = [openai.pydantic_function_tool(Order)]
    with client.chat.completions.stream(**asked, tools=tools, tool_choice="required") as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls and all(isinstance(call.function.parsed_arguments, Order) for call in calls)


def test_responses(client: openai.OpenAI):
    made = client.responses.create(**RESPOND)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    assert list(client.responses.create(**RESPOND, stream=True))[-1].type == "response.incomplete"
    assert list(client.responses.input_items.list(made.id))
    with client.responses.stream(**RESPOND | {"max_output_tokens": 120}, text_format=Order) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Order)


def test_conversations(client: openai.OpenAI):
    made = client.conversations.create(metadata={"a": "b"})
    client.responses.create(**RESPOND, conversation=made.id)
    assert len(list(client.conversations.items.list(made.id))) == 2
    assert client.conversations.delete(made.id).deleted


def test_the_others(client: openai.OpenAI):
    assert client.completions.create(model="tiny", prompt="the", max_tokens=2, logprobs=1).choices[0].logprobs
    vectors: Any = {"model": "starter-embedding", "input": "coffee", "encoding_format": "float"}
    assert client.embeddings.create(**vectors).data[0].embedding
    file = client.files.create(file=("a.txt", b"abc"), purpose="user_data")
    assert client.files.content(file.id).read() == b"abc" and client.files.delete(file.id).deleted
    assert "tiny" in [model.id for model in client.models.list()]
    kept = client.chat.completions.create(**ASK, store=True)
    assert kept.id in [one.id for one in client.chat.completions.list()]
    assert client.chat.completions.delete(kept.id).deleted
