"""OpenAI's Agents SDK, over chat and over responses.

Most agents answer with an object, which ends by itself: the SDK raises on a response that was cut by its limit.
"""

import os
from typing import Annotated, Any, Literal

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SQLiteSession,
    ToolCallItem,
    ToolCallOutputItem,
    function_tool,
    handoff,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel, Field

set_tracing_disabled(True)  # traces go to OpenAI
ASK = "A small cake for Anna and Bo."
QUIET = RunConfig(tracing_disabled=True)
needs_an_end = pytest.mark.skipif(
    os.environ["CHAT_MODEL"] == "random", reason="needs a model that ends its text before the limit"
)


class Order(BaseModel):
    guest: Literal["Anna", "Bo"]
    centimetres: Annotated[int, Field(ge=10, le=90)]


@function_tool
def price(size: Literal["small", "large"]) -> str:
    """What a cake costs."""
    return f"a {size} one costs 12"


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel], ids=["chat", "responses"])
def chosen(request: pytest.FixtureRequest) -> Any:
    return request.param(os.environ["CHAT_MODEL"], AsyncOpenAI(max_retries=0))


def settings(**more: Any) -> ModelSettings:
    return ModelSettings(max_tokens=200, **more)


@needs_an_end
async def test_text(chosen: Any):
    agent = Agent("baker", instructions="Be brief.", model=chosen, model_settings=settings())
    found = await Runner.run(agent, ASK, run_config=QUIET)
    assert found.final_output and found.raw_responses[0].usage.output_tokens > 0


@needs_an_end
async def test_text_streamed(chosen: Any):
    agent = Agent("baker", model=chosen, model_settings=settings(include_usage=True))
    run = Runner.run_streamed(agent, ASK, run_config=QUIET)
    kinds = [event.data.type async for event in run.stream_events() if event.type == "raw_response_event"]
    assert "response.output_text.delta" in kinds and run.final_output


async def test_structured_output(chosen: Any):
    agent = Agent("baker", model=chosen, output_type=Order, model_settings=settings())
    assert isinstance((await Runner.run(agent, ASK, run_config=QUIET)).final_output, Order)


async def test_a_loop_of_calls(chosen: Any):
    """The SDK takes `required` back after the first turn, and allows two turns."""
    agent = Agent(
        "baker",
        model=chosen,
        tools=[price],
        tool_use_behavior="stop_on_first_tool",
        model_settings=settings(tool_choice="required"),
    )
    found = await Runner.run(agent, ASK, run_config=QUIET)
    kinds = [type(item) for item in found.new_items]
    assert ToolCallItem in kinds and ToolCallOutputItem in kinds and "costs 12" in found.final_output
    going = Agent("baker", model=chosen, tools=[price], output_type=Order, model_settings=settings(tool_choice="none"))
    again = await Runner.run(going, [*found.to_input_list(), {"role": "user", "content": "Thanks"}], run_config=QUIET)
    assert isinstance(again.final_output, Order)


async def test_calls_streamed(chosen: Any):
    agent = Agent(
        "baker",
        model=chosen,
        tools=[price],
        tool_use_behavior="stop_on_first_tool",
        model_settings=settings(tool_choice="price"),
    )
    run = Runner.run_streamed(agent, ASK, run_config=QUIET)
    names = [event.name async for event in run.stream_events() if event.type == "run_item_stream_event"]
    assert "tool_called" in names and "tool_output" in names


async def test_a_handoff(chosen: Any):
    other = Agent("cook", model=chosen, output_type=Order, model_settings=settings())
    agent = Agent("baker", model=chosen, handoffs=[handoff(other)], model_settings=settings(tool_choice="required"))
    found = await Runner.run(agent, ASK, run_config=QUIET)
    assert found.last_agent.name == "cook"


async def test_a_session_of_its_own(chosen: Any):
    agent = Agent("baker", model=chosen, output_type=Order, model_settings=settings())
    session = SQLiteSession("one")
    await Runner.run(agent, ASK, session=session, run_config=QUIET)
    await Runner.run(agent, "And another", session=session, run_config=QUIET)
    assert len(await session.get_items()) == 4


async def test_a_session_of_the_server():
    model = OpenAIResponsesModel(os.environ["CHAT_MODEL"], AsyncOpenAI(max_retries=0))
    agent = Agent("baker", model=model, output_type=Order, model_settings=settings())
    session = OpenAIConversationsSession(openai_client=AsyncOpenAI(max_retries=0))
    await Runner.run(agent, ASK, session=session, run_config=QUIET)
    await Runner.run(agent, "And another", session=session, run_config=QUIET)
    assert len(await session.get_items()) == 4


async def test_going_on_from_a_response():
    model = OpenAIResponsesModel(os.environ["CHAT_MODEL"], AsyncOpenAI(max_retries=0))
    agent = Agent("baker", model=model, output_type=Order, model_settings=settings())
    first = await Runner.run(agent, ASK, run_config=QUIET)
    last = await Runner.run(agent, "More", previous_response_id=first.last_response_id, run_config=QUIET)
    assert last.last_response_id != first.last_response_id
