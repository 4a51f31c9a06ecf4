"""The fake must be what OpenAI would send: its answers against the SDK's own types, strictly."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion, Model, chat, completion_create_params
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from shared.design import Brief, check, messages, response_format
from tests.fakes.process import openai_server

BRIEFS = Path(__file__).parents[3] / "benchmarks" / "briefs.jsonl"
HELLO = [{"role": "user", "content": "hello there"}]
LONG = [{"role": "user", "content": "word " * 9000}]
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Porto"]}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with openai_server() as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def ask(url: str) -> Iterator[Callable[..., httpx.Response]]:
    """A raw request: path and the body's fields, those of a good chat unless said otherwise."""
    with httpx.Client(base_url=url, headers={"authorization": "Bearer any"}) as http:
        yield lambda path, **body: http.post(path, json={"model": "gpt-4o", **body})


def test_chat_is_what_the_sdk_expects(ask: Callable[..., httpx.Response]):
    for more in ({}, {"n": 2}, {"tools": [TOOL]}, {"max_tokens": 2}, {"stop": "there"}):
        reply = ask("/v1/chat/completions", messages=HELLO, **more)
        answer = ChatCompletion.model_validate_json(reply.content, strict=True)
        assert answer.usage and len(answer.choices) == more.get("n", 1)
        assert set(answer.model_extra or {}) == set()
        assert reply.headers["x-request-id"].startswith("req_") and reply.headers["openai-processing-ms"].isdigit()


def test_a_stream_is_what_the_sdk_expects(ask: Callable[..., httpx.Response]):
    reply = ask("/v1/chat/completions", messages=HELLO, stream=True, stream_options={"include_usage": True})
    *events, done = [line.removeprefix("data: ") for line in reply.text.splitlines() if line]
    chunks = [ChatCompletionChunk.model_validate_json(event, strict=True) for event in events]
    assert done == "[DONE]"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage
    assert all('"usage": null' in event for event in events[:-1])
    whole = ChatCompletion.model_validate_json(ask("/v1/chat/completions", messages=HELLO).content)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_tool_calls_stream(client: openai.OpenAI):
    with client.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=[TOOL]) as stream:  # pyright: ignore[reportArgumentType]
        call = stream.get_final_completion().choices[0].message.tool_calls
    assert call and json.loads(call[0].function.arguments) == {"city": "Porto"}


def test_completions_and_models(ask: Callable[..., httpx.Response], client: openai.OpenAI):
    reply = ask("/v1/completions", prompt=["one", "two"])
    assert len(Completion.model_validate_json(reply.content, strict=True).choices) == 2
    assert client.models.list().data[0].id == "gpt-4o-mini"
    assert isinstance(client.models.retrieve("gpt-4o"), Model)


def test_it_knows_the_fields_that_the_sdk_knows(ask: Callable[..., httpx.Response]):
    chat_fields = {*chat.completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"}
    fields = {*completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"}
    for path, known in (("/v1/chat/completions", chat_fields), ("/v1/completions", fields)):
        needed = {"messages": HELLO} if "chat" in path else {"prompt": "x"}
        unset = dict.fromkeys(known - {"model", "messages", "prompt"})
        assert ask(path, **needed, **unset).status_code == 200
        refused = ask(path, **needed, top_k=3)
        assert refused.status_code == 400 and refused.json()["error"]["param"] == "top_k"


@pytest.mark.parametrize(
    ("request_", "error", "code"),
    [
        ({"model": "nope"}, openai.NotFoundError, "model_not_found"),
        ({"model": "fail-429"}, openai.RateLimitError, "rate_limit_exceeded"),
        ({"model": "fail-500"}, openai.InternalServerError, None),
        ({"messages": []}, openai.BadRequestError, "empty_array"),
        (
            {"messages": [{"role": "user", "content": "word " * 9000}]},
            openai.BadRequestError,
            "context_length_exceeded",
        ),
    ],
)
def test_errors(client: openai.OpenAI, request_: dict[str, Any], error: type[openai.APIStatusError], code: str | None):
    with pytest.raises(error) as raised:
        client.chat.completions.create(**{"model": "gpt-4o", "messages": HELLO} | request_)
    assert raised.value.code == code and raised.value.request_id


def test_a_key_is_needed(url: str):
    assert httpx.get(f"{url}/v1/models").status_code == 401
    assert httpx.post(f"{url}/v1/chat/completions", json={}).json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "array", "items": {"type": "string"}}, "schema must be a JSON Schema of"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, "additionalProperties"),
        ({"type": "object", "properties": {"a": {}}, "required": [], "additionalProperties": False}, "Missing 'a'"),
        ({"type": "object", "properties": {}, "additionalProperties": False, "not": {}}, "'not' is not permitted"),
    ],
)
def test_strict_mode_refuses_what_openai_refuses(client: openai.OpenAI, schema: dict[str, Any], complaint: str):
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    with pytest.raises(openai.BadRequestError, match="Invalid schema for response_format 'x'") as raised:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, response_format=wanted)  # pyright: ignore[reportArgumentType]
    assert raised.value.param == "response_format"
    assert complaint in raised.value.message


def test_designs_of_sixty_briefs_pass_the_check_and_differ(client: openai.OpenAI):
    rows = [json.loads(line) for line in BRIEFS.read_text().splitlines()]
    headlines = set[str]()
    for row in rows:
        brief = Brief(prompt=row["prompt"], platform=row["platform"], format=row["format"])
        wanted: Any = response_format(brief)
        said: Any = messages(brief)
        answer = client.chat.completions.create(model="gpt-4o", messages=said, response_format=wanted)
        headlines.add(check(answer.choices[0].message.content or "", brief)["elements"][0]["text"])
    assert len(rows) >= 60 and len(headlines) > len(rows) * 0.8
