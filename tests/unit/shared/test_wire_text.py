from typing import Any

import pytest
from openai.types.chat import ChatCompletion as TheirCompletion
from openai.types.chat import ChatCompletionChunk as TheirChunk
from pydantic import ValidationError

from shared.wire.chat import (
    AnswerMessage,
    ChatCompletion,
    ChatCompletionChunk,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
)
from shared.wire.completions import CompletionRequest
from shared.wire.text import Usage

HELLO = [{"role": "user", "content": "hello"}]


def chat(**fields: Any) -> ChatRequest:
    return ChatRequest.model_validate({"messages": HELLO} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_effort": "low", "verbosity": "low", "service_tier": "auto", "metadata": {"a": "b"}, "user": "u"},
        {"prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k", "safety_identifier": "s"},
        {"ignore_eos": True, "continuous_usage_stats": True, "store": True},
        {"logprobs": False, "top_logprobs": 0, "tools": [], "n": 16, "tool_choice": "auto", "modalities": ["text"]},
        {"temperature": 1, "stop": [], "logit_bias": {}, "seed": -1, "stream_options": {"include_obfuscation": False}},
        {"temperature": None, "max_tokens": None, "stop": None, "response_format": None, "stream": None},
    ],
)
def test_hints_and_defaults_are_accepted(fields: dict[str, Any]) -> None:
    chat(**fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("logprobs", 3), ("top_logprobs", 21), ("tools", [{"type": "web_search"}]), ("n", 17), ("n", 0)],
        *[("tool_choice", "any"), ("modalities", ["text", "audio"]), ("audio", {"voice": "x"})],
        *[("stop", ["a"] * 5), ("stop", [""]), ("logit_bias", {"x": 1}), ("logit_bias", {"1": 101})],
        *[("temperature", 2.1), ("temperature", float("nan")), ("temperature", "1"), ("top_p", -1), ("max_tokens", 0)],
        *[("max_tokens", 1.5), ("seed", 2**64), ("stream", "yes"), ("response_format", {"type": "json_schema"})],
        *[("response_format", {"type": "xml"}), ("messages", [])],
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        chat(**{field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@pytest.mark.parametrize(("field", "value"), [("echo", 1), ("logprobs", 6), ("best_of", 17), ("n", 17), ("prompt", [])])
def test_completions_refuse_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        CompletionRequest.model_validate({"prompt": "x"} | {field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@pytest.mark.parametrize("prompt", ["x", ["x", "y"], [1, 2], [[1], [2, 3]]])
def test_prompts_come_in_four_kinds(prompt: Any) -> None:
    assert CompletionRequest.model_validate({"prompt": prompt, "suffix": "s"}).prompt == prompt


def test_values_arrive_as_meant() -> None:
    request = chat(stop="END", logit_bias={"5": -100}, max_tokens=5, max_completion_tokens=7, stream=True)
    assert (request.stop, request.logit_bias, request.token_limit, request.wants_usage) == (
        ["END"],
        {5: -100},
        7,
        False,
    )
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat(messages=[{"role": "user", "content": parts}]).messages[0].text == "ab"
    assert chat(stream=True, stream_options={"include_usage": True}).wants_usage


def test_answers_are_openais() -> None:
    usage = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
    choice = Choice(message=AnswerMessage(content="hi"), finish_reason="stop")
    answer = ChatCompletion(id="c", created=1, model="m", choices=[choice], usage=usage).model_dump()
    assert TheirCompletion.model_validate(answer, strict=True).choices[0].message.content == "hi"
    assert {"logprobs", "finish_reason"} <= set(answer["choices"][0]) and "refusal" in answer["choices"][0]["message"]


@pytest.mark.parametrize("asked", [False, True])
def test_a_chunk_says_only_what_is_new(asked: bool) -> None:
    extra: dict[str, Any] = {"usage": None} if asked else {}
    choice = ChunkChoice(delta=Delta(content="a"))
    sent = ChatCompletionChunk(id="c", created=1, model="m", choices=[choice], **extra).model_dump(mode="json")
    assert sent["choices"] == [{"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}]
    assert ("usage" in sent) == asked
    TheirChunk.model_validate(sent)
