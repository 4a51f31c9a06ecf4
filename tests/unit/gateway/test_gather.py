"""A stream put together says what the whole answer would."""

import json
from typing import Any

import pytest

from gateway.gather import gather
from shared.errors import UpstreamFailed

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def events(*deltas: tuple[int, dict[str, Any], dict[str, Any]]) -> bytes:
    chunks = [
        {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": None, **more}]}
        for index, delta, more in deltas
    ]
    chunks.append({**HEAD, "choices": [], "usage": {"total_tokens": 3}})
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


def test_choices_texts_and_logprobs():
    def token(text: str) -> dict[str, Any]:
        return {"logprobs": {"content": [{"token": text}], "refusal": None}}

    whole = gather(
        events(
            (1, {"role": "assistant", "content": "", "refusal": None}, {}),
            (0, {"role": "assistant", "content": ""}, {}),
            (0, {"content": "Grü"}, token("Grü")),
            (1, {"refusal": "I "}, {}),
            (0, {"content": "ße"}, token("ße")),
            (1, {"refusal": "won't"}, {"finish_reason": "content_filter"}),
            (0, {}, {"finish_reason": "stop"}),
        )
    )
    assert {name: whole[name] for name in ("id", "object", "usage")} == {
        "id": "c",
        "object": "chat.completion",
        "usage": {"total_tokens": 3},
    }
    first, second = whole["choices"]
    assert first["message"] == {"role": "assistant", "content": "Grüße", "refusal": None}
    assert [one["token"] for one in first["logprobs"]["content"]] == ["Grü", "ße"]
    assert (first["finish_reason"], second["finish_reason"]) == ("stop", "content_filter")
    assert second["message"]["refusal"] == "I won't" and second["logprobs"] is None


def test_tool_calls():
    def part(index: int, **more: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **more}]}

    whole = gather(
        events(
            (0, {"role": "assistant", "content": None}, {}),
            (0, part(0, id="a", type="function", function={"name": "f", "arguments": ""}), {}),
            (0, part(0, function={"arguments": '{"x"'}), {}),
            (0, part(1, id="b", type="custom", custom={"name": "g", "input": "1"}), {}),
            (0, part(0, function={"arguments": ": 1}"}), {}),
            (0, part(1, custom={"input": "2"}), {"finish_reason": "tool_calls"}),
        )
    )
    assert whole["choices"][0]["message"]["content"] is None
    assert whole["choices"][0]["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "12"}},
    ]


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"choices": [1]}', b'{"choices": [{"delta": {}}]}'])
def test_what_is_no_stream_of_ours(broken: bytes):
    with pytest.raises(UpstreamFailed):
        gather(b"data: " + broken + b"\n\ndata: [DONE]\n\n")
