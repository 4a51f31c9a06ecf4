"""Calls and JSON as far as the server answers for them, whatever the model: shapes, types, the way of a tool loop."""

import json
import os
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

ASK = "What is the weather in Paris?"


@tool
def weather(place: Literal["Paris", "Größenwahn", "北京"], days: int) -> str:
    """The weather of the next days."""
    return f"{place}: sun for {days} days"


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def chat(request: pytest.FixtureRequest) -> ChatOpenAI:
    name = os.environ["CHAT_MODEL"]
    return ChatOpenAI(model=name, max_tokens=256, max_retries=0, use_responses_api=request.param)


def test_a_call_holds_to_its_schema(chat: ChatOpenAI):
    answer = chat.bind_tools([weather], tool_choice="any").invoke(ASK)
    assert answer.tool_calls and not answer.invalid_tool_calls  # type: ignore[attr-defined]
    for call in answer.tool_calls:  # type: ignore[attr-defined]
        assert call["id"] and weather.args_schema.model_validate(call["args"])  # type: ignore[union-attr]


def test_a_streamed_call_is_the_same(chat: ChatOpenAI):
    bound = chat.bind(seed=3) if not chat.use_responses_api else chat.bind(temperature=0)
    tools: Any = chat.bind_tools([weather], tool_choice="weather", **bound.kwargs)  # type: ignore[attr-defined]
    whole = tools.invoke(ASK)
    parts: list[AIMessageChunk] = list(tools.stream(ASK))
    full = parts[0]
    for part in parts[1:]:
        full = full + part
    assert [call["args"] for call in full.tool_calls] == [call["args"] for call in whole.tool_calls]


def test_a_loop_of_calls(chat: ChatOpenAI):
    messages: list[Any] = [HumanMessage(ASK)]
    messages.append(chat.bind_tools([weather], tool_choice="any").invoke(messages))
    for call in messages[-1].tool_calls:
        found = weather.invoke(call)
        assert isinstance(found, ToolMessage)
        messages.append(found)
    last = chat.bind_tools([weather], tool_choice="none").invoke(messages)
    assert not last.tool_calls  # type: ignore[attr-defined]


def test_json_mode_is_an_object(chat: ChatOpenAI):
    answer = chat.bind(response_format={"type": "json_object"}).invoke("A joke as JSON with setup and punchline")
    assert isinstance(json.loads(answer.text), dict)
