"""The Responses API over every provider, by OpenAI's own client, which holds every answer to its types."""

from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from openai.types.responses import ResponseStreamEvent

from gateway.responses.building import Building
from gateway.responses.chat_body import chat_body
from gateway.responses.items import to_messages
from shared.errors import InvalidRequest
from shared.wire.responses import ResponseRequest
from tests.contract import asking
from tests.contract.upstream import MODELS, WORDS, Script

SAID = "".join(WORDS)
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}


@pytest.fixture
def sdk(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return asking.sdk(client)


async def test_an_answer_is_kept_and_can_be_deleted(sdk: openai.AsyncOpenAI, script: Script, provider: str) -> None:
    made = await sdk.responses.create(
        model=MODELS[provider], input="hello", instructions="Be brief.", metadata={"a": "b"}, max_output_tokens=9
    )
    assert (made.output_text, made.status, made.model) == (SAID, "completed", MODELS[provider])
    assert made.usage and (made.usage.input_tokens, made.usage.output_tokens, made.usage.total_tokens) == (7, 3, 10)
    assert made.metadata == {"a": "b"} and made.instructions == "Be brief."
    sent = script.seen[-1]
    assert [message["role"] for message in sent["messages"]] == ["system", "user"] and sent[
        "max_completion_tokens"
    ] == 9
    assert await sdk.responses.retrieve(made.id) == made
    items = await sdk.responses.input_items.list(made.id)
    assert [item.content[0].text for item in items.data] == ["hello"]  # pyright: ignore[reportAttributeAccessIssue]
    await sdk.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError) as gone:
        await sdk.responses.retrieve(made.id)
    assert gone.value.code == "response_not_found"


async def test_a_chat_goes_on_without_the_old_instructions(sdk: openai.AsyncOpenAI, script: Script) -> None:
    first = await sdk.responses.create(input="hello", instructions="Be brief.")
    await sdk.responses.create(input="and now?", previous_response_id=first.id)
    messages = script.seen[-1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == SAID and messages[2]["content"] == "and now?"


async def test_what_is_not_to_be_kept_is_not(sdk: openai.AsyncOpenAI) -> None:
    made = await sdk.responses.create(input="hello", store=False)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError) as unknown:
        await sdk.responses.create(input="more", previous_response_id=made.id)
    assert unknown.value.param == "previous_response_id"


async def test_events_in_openais_order(sdk: openai.AsyncOpenAI) -> None:
    events = [event async for event in await sdk.responses.create(input="hello", stream=True)]
    kinds = [event.type.removeprefix("response.") for event in events]
    words = ["output_text.delta"] * len(WORDS)
    opened = ["created", "in_progress", "output_item.added", "content_part.added"]
    closed = ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert kinds == [*opened, *words, *closed]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    done: Any = vars(events[-1])["response"]
    assert done.output_text == SAID and done.usage.total_tokens == 10
    assert await sdk.responses.retrieve(done.id) == done


async def test_the_streaming_helper(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.responses.stream(model="", input="hello") as stream:
        final = await stream.get_final_response()
    assert final.output_text == SAID


async def test_names_of_events_are_their_types(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/responses", json={"input": "hello", "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    for event in answer.text.strip().split("\n\n"):
        name, data = event.split("\n")
        assert f'"type":"{name.removeprefix("event: ")}"' in data


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "status", "param"),
    [("bad field", 400, "temperature"), ("too long", 400, "input"), ("busy", 429, None), ("broken", 502, None)],
)
async def test_a_refusal_keeps_its_status_and_names_the_field(
    client: httpx.AsyncClient, said: str, status: int, param: str | None, stream: bool
) -> None:
    answer = await client.post("/v1/responses", json={"input": said, "stream": stream})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param) and set(error) == {
        "message",
        "type",
        "param",
        "code",
    }


async def test_a_late_failure_is_a_failed_response(sdk: openai.AsyncOpenAI) -> None:
    events = [event async for event in await sdk.responses.create(input="drop", stream=True)]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(events[-1].response.id)


WRONG: list[tuple[Any, str]] = [
    ({}, "input"),
    ({"input": ""}, "input"),
    ({"input": []}, "input"),
    ({"input": 3}, "input"),
    ({"input": [{"type": "reasoning"}]}, "input"),
    ({"input": [{"type": "computer_call"}]}, "input[0].type"),
    ({"input": [{"type": ["x"]}]}, "input[0].type"),
    ({"input": [{"role": "boss", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user", "content": 3}]}, "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0].type"),
    ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0].type"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
    ({"input": "x", "tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"input": "x", "tool_choice": "required"}, "tool_choice"),
    ({"input": "x", "background": True, "store": False}, "background"),
    ({"input": "x", "conversation": "conv_1"}, "conversation"),
    ({"input": "x", "conversation": {"id": 3}}, "conversation.id"),
    ({"input": "x", "conversation": "conv_1", "previous_response_id": "resp_1"}, "conversation"),
    ({"input": [{"type": "item_reference", "id": "msg_none"}]}, "input[0].id"),
    ({"input": [{"type": "compaction", "encrypted_content": "W10="}]}, "input[0].encrypted_content"),
    ({"input": "x", "text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
    ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
    ({"input": "x", "tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.name"),
    ({"input": "x", "prompt": {"id": "p"}}, "prompt"),
    ({"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
    ({"input": "x", "temperature": 3}, "temperature"),
    ({"input": "x", "previous_response_id": "resp_none"}, "previous_response_id"),
]


async def test_bad_input_names_the_field(client: httpx.AsyncClient) -> None:
    for body, param in WRONG:
        answer = await client.post("/v1/responses", json=body)
        assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param, (body, answer.text)


async def test_another_keys_responses_are_not_there(app: FastAPI, client: httpx.AsyncClient) -> None:
    secrets = [app.state.keys.create(name, {})[1] for name in ("one", "two")]
    app.state.keys.checked = float("-inf")  # look at the table now
    headers = [{"authorization": f"Bearer {secret}"} for secret in secrets]
    made = (await client.post("/v1/responses", json={"input": "hello"}, headers=headers[0])).json()
    for path in (made["id"], f"{made['id']}/input_items"):
        assert (await client.get(f"/v1/responses/{path}", headers=headers[1])).status_code == 404
        assert (await client.get(f"/v1/responses/{path}", headers=headers[0])).status_code == 200
    assert (await client.delete(f"/v1/responses/{made['id']}", headers=headers[1])).status_code == 404


def test_calls_and_their_results_become_chat() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": "17"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "18"}]},
    ]
    user, calls, first, second = to_messages(items)
    assert user["content"] == "weather?" and second["content"] == "18"
    assert [call["type"] for call in calls["tool_calls"]] == ["function", "custom"] and calls["content"] is None
    assert (first["tool_call_id"], second["tool_call_id"]) == ("c1", "c2") and first["role"] == "tool"


def test_tools_and_formats_become_chats() -> None:
    request = ResponseRequest.model_validate(
        {
            "input": "x",
            "tools": [
                TOOL,
                {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        }
    )
    body = chat_body(request, [])
    function = {"name": "f", "parameters": {"type": "object"}, "strict": True}
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    custom = {"type": "custom", "custom": {"name": "g", "format": grammar}}
    assert body["tools"] == [{"type": "function", "function": function}, custom]
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
    assert body["tool_choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    with pytest.raises(InvalidRequest, match="hosted"):
        chat_body(request.model_copy(update={"tool_choice": {"type": "hosted"}}), [])


def test_streamed_calls_become_items() -> None:
    building = Building(ResponseRequest(input="x"), "m")
    events = list(building.start(None))
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"a"', ":1}")]
    for call in (first, *more):
        events += building.feed({"delta": {"tool_calls": [call]}, "finish_reason": None})
    events += building.feed({"delta": {}, "finish_reason": "tool_calls"})
    events += building.end(None)
    kinds = [event["type"].removeprefix("response.") for event in events][2:]
    call = "function_call_arguments"
    assert kinds == [
        "output_item.added",
        f"{call}.delta",
        f"{call}.delta",
        f"{call}.done",
        "output_item.done",
        "completed",
    ]
    (item,) = building.response["output"]
    assert (item["arguments"], item["call_id"], item["status"]) == ('{"a":1}', "c1", "completed")


def test_an_answer_cut_by_the_limit_is_incomplete() -> None:
    building = Building(ResponseRequest(input="x"), "m")
    list(building.feed({"message": {"content": "half"}, "finish_reason": "length"}))
    last = list(building.end(None))[-1]
    assert last["type"] == "response.incomplete"
    assert building.response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert building.response["output"][0]["status"] == "incomplete"


async def test_tokens_of_the_input_are_counted(sdk: openai.AsyncOpenAI, script: Script) -> None:
    tools: Any = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
    counted = await sdk.responses.input_tokens.count(
        input="hello", instructions="Be brief.", tools=tools, tool_choice="required"
    )
    assert counted.input_tokens == 7 and script.seen[-1]["max_completion_tokens"] == 16
    assert script.seen[-1]["tools"] and "tool_choice" not in script.seen[-1]
    assert [message["role"] for message in script.seen[-1]["messages"]] == ["system", "user"]


async def test_a_compacted_chat_goes_on(sdk: openai.AsyncOpenAI, script: Script) -> None:
    items: Any = [{"role": "user", "content": "x" * 400}, {"role": "assistant", "content": "y" * 400}]
    short = await sdk.responses.compact(model="", input=[*items, {"role": "user", "content": "hello"}])
    assert short.usage.total_tokens == 10 and short.output[0].type == "compaction"
    assert [len(message["content"]) for message in script.seen[-1]["messages"][:3]] == [400, 400, 5]
    given: Any = [*(item.to_dict() for item in short.output), {"role": "user", "content": "and?"}]
    made = await sdk.responses.create(input=given)
    quoted, summary, asked = (message["content"] for message in script.seen[-1]["messages"])
    assert (quoted, asked) == ("hello", "and?") and summary.endswith(SAID)
    listed = await sdk.responses.input_items.list(made.id, order="asc")
    assert [item.type for item in listed.data] == ["compaction", "message"]


async def test_every_key_of_openais_type_is_there(sdk: openai.AsyncOpenAI, client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/responses", json={"input": "hello"})).json()
    assert set(openai.types.responses.Response.model_fields) <= set(made)


async def test_hints_and_logprobs_reach_chat(sdk: openai.AsyncOpenAI, script: Script) -> None:
    await sdk.responses.create(
        input="hello",
        reasoning={"effort": "low"},
        text={"verbosity": "low"},
        top_logprobs=2,
        include=["message.output_text.logprobs"],
        stream_options={"include_obfuscation": False},
        extra_body={"ignore_eos": True},
    )
    sent = script.seen[-1]
    assert (sent["reasoning_effort"], sent["verbosity"], sent["logprobs"], sent["top_logprobs"]) == (
        "low",
        "low",
        True,
        2,
    )


async def test_the_oldest_is_left_out_where_that_is_wanted(client: httpx.AsyncClient, script: Script) -> None:
    items = [{"role": "user", "content": word} for word in ("too long", "too long", "too long")]
    for stream in (False, True):
        body = {"input": items, "truncation": "auto", "instructions": "x", "stream": stream}
        answer = await client.post("/v1/responses", json=body)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "context_length_exceeded"
        assert [len(seen["messages"]) for seen in script.seen[-2:]] == [4, 2]


def made_of(*choices: Any) -> tuple[list[str], list[Any], dict[str, Any]]:
    """Types of the events without the first two, the events, and the response."""
    building = Building(ResponseRequest(input="x"), "m")
    events = list(building.start(None))
    for choice in choices:
        events += building.feed(choice)
    events += building.end(None)
    return [event["type"].removeprefix("response.") for event in events][2:], events, building.response


def test_a_thought_a_refusal_and_two_calls_follow_each_other() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    custom = {"index": 1, "id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}}
    kinds, events, response = made_of(
        {"delta": {"reasoning_content": "hm"}},
        {"delta": {"refusal": "no"}},
        {"delta": {"tool_calls": [{"index": 0, "id": "c1", **call}]}},
        {"delta": {"tool_calls": [custom]}, "finish_reason": "tool_calls"},
    )
    item, part = ["output_item.added", "output_item.done"], ["content_part.added", "content_part.done"]
    thought, refusal = ([f"{name}.delta", f"{name}.done"] for name in ("reasoning_text", "refusal"))
    function, tool = (
        [f"{name}.delta", f"{name}.done"] for name in ("function_call_arguments", "custom_tool_call_input")
    )
    said = [[item[0], part[0], *body, part[1], item[1]] for body in (thought, refusal)]
    called = [[item[0], *body, item[1]] for body in (function, tool)]
    assert kinds == [kind for body in (*said, *called) for kind in body] + ["completed"]
    for event in events:
        openai._models.validate_type(type_=ResponseStreamEvent, value=event)
    assert [one["type"] for one in response["output"]] == ["reasoning", "message", "function_call", "custom_tool_call"]
    assert all(one["status"] == "completed" for one in response["output"])


def test_logprobs_are_in_parts_and_events() -> None:
    token = {"token": "a", "bytes": [97], "logprob": -0.5}
    scored = {"content": [{**token, "top_logprobs": [token]}], "refusal": None}
    _, events, response = made_of({"delta": {"content": "a"}, "logprobs": scored, "finish_reason": "stop"})
    assert response["output"][0]["content"][0]["logprobs"] == scored["content"]
    for event in events:
        openai._models.validate_type(type_=ResponseStreamEvent, value=event)


def test_an_answer_without_a_word_is_a_message() -> None:
    _, _, response = made_of({"message": {"content": ""}, "finish_reason": "stop"})
    assert response["output"][0]["content"][0]["text"] == ""


def test_padding_hides_the_length_of_deltas() -> None:
    hidden = ResponseRequest.model_validate({"input": "x", "stream_options": {"include_obfuscation": True}})
    building = Building(hidden, "m")
    events = [event for text in ("a", "b" * 15, "c" * 16) for event in building.feed({"delta": {"content": text}})]
    assert [len(event["delta"] + event["obfuscation"]) for event in events if "delta" in event] == [16, 16, 32]
    assert not any("obfuscation" in event for event in made_of({"delta": {"content": "a"}})[1])
