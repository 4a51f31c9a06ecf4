"""OpenAI's own client, which holds every answer to its types."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from ml_text.serve import create_service
from ml_text.sources import Sources
from tests.unit.ml_text.test_tools import ASK, CUSTOM, TOOLS, check

BODY: Any = {"model": "tiny", "messages": ASK, "tools": TOOLS, "temperature": 1.5, "max_tokens": 300, "seed": 3}


@pytest.fixture
async def client(save_model: Any, settings: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    made = settings(model=str(save_model(max_position_embeddings=2048)))
    sources = Sources(made)
    app = create_service(made, sources, sources.fetch(made.model).name)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        yield openai.AsyncOpenAI(
            base_url="http://text/v1",
            api_key="none",
            http_client=http,
            max_retries=8,  # while the model is being loaded
            _strict_response_validation=True,
        )


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "book"}}])
async def test_calls_whole_and_by_the_streaming_helper(client: openai.AsyncOpenAI, choice: Any) -> None:
    answer = await client.chat.completions.create(**BODY, tool_choice=choice)
    names = check(answer.choices[0].model_dump(exclude_none=True) | {"message": _message(answer)})
    async with client.chat.completions.stream(**BODY, tool_choice=choice) as events:
        final = await events.get_final_completion()
    assert check(final.choices[0].model_dump(exclude_none=True) | {"message": _message(final)}) == names


def _message(answer: Any) -> dict[str, Any]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in answer.choices[0].message.tool_calls
    ]
    return {"content": answer.choices[0].message.content, "tool_calls": calls}


async def test_a_custom_call(client: openai.AsyncOpenAI) -> None:
    asked: Any = BODY | {"tools": CUSTOM, "tool_choice": "required"}
    answer = await client.chat.completions.create(**asked)
    assert {call.type for call in answer.choices[0].message.tool_calls or ()} == {"custom"}


async def test_a_conversation_with_calls_goes_on(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(**BODY, tool_choice="required")
    calls = answer.choices[0].message.tool_calls or []
    results = [{"role": "tool", "tool_call_id": call.id, "content": "17"} for call in calls]
    messages: Any = [*ASK, answer.choices[0].message, *results]
    last = await client.chat.completions.create(**BODY | {"messages": messages, "max_tokens": 5, "tool_choice": "none"})
    assert last.choices[0].message.content and last.usage and answer.usage
    assert last.usage.prompt_tokens > answer.usage.completion_tokens


async def test_log_probabilities(client: openai.AsyncOpenAI) -> None:
    chat = await client.chat.completions.create(model="tiny", messages=ASK, max_tokens=5, logprobs=True, top_logprobs=2)
    assert chat.choices[0].logprobs and len(chat.choices[0].logprobs.content or ()) == 5
    plain = await client.completions.create(model="tiny", prompt="the", max_tokens=4, logprobs=2, best_of=3)
    found = plain.choices[0].logprobs
    assert found and len(found.tokens or ()) == len(found.token_logprobs or ()) == 4


async def test_a_stop_string_is_about_text(client: openai.AsyncOpenAI) -> None:
    free = await client.chat.completions.create(**BODY, tool_choice="required")
    stopped = await client.chat.completions.create(**BODY, tool_choice="required", stop=['"', "{"])
    assert _message(stopped)["tool_calls"][0]["function"] == _message(free)["tool_calls"][0]["function"]
