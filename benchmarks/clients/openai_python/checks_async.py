"""The same by AsyncOpenAI, many requests at once among it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

ASK: Any = [{"role": "user", "content": "Hello"}]


class Product(BaseModel):
    name: str
    size: Literal["small", "large"]


@pytest.fixture
async def aclient() -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(max_retries=0, timeout=120, _strict_response_validation=True) as made:
        yield made


async def test_chat(aclient: openai.AsyncOpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 8, "seed": 1}
    whole = await aclient.chat.completions.create(**asked)
    stream = await aclient.chat.completions.create(**asked, stream=True)
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said == whole.choices[0].message.content


async def test_helpers(aclient: openai.AsyncOpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 120, "response_format": Product}
    assert (await aclient.chat.completions.parse(**asked)).choices[0].message.parsed
    async with aclient.chat.completions.stream(**asked) as stream:
        assert (await stream.get_final_completion()).choices[0].message.parsed


async def test_responses(aclient: openai.AsyncOpenAI, model: str):
    asked: Any = {"model": model, "input": "Hello", "max_output_tokens": 60}
    assert (await aclient.responses.create(**asked)).output_text
    async with aclient.responses.stream(**asked) as stream:
        kinds = [event.type async for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete")
    assert (await aclient.responses.parse(**asked, text_format=Product)).output_parsed


async def test_embeddings_and_models(aclient: openai.AsyncOpenAI, model: str, embedding_model: str):
    asked: Any = {"model": embedding_model, "input": ["a", "b"], "encoding_format": "float"}
    assert len((await aclient.embeddings.create(**asked)).data) == 2
    assert model in [found.id async for found in aclient.models.list()]


async def test_files(aclient: openai.AsyncOpenAI):
    made = await aclient.files.create(file=("a.txt", b"abc"), purpose="user_data")
    assert (await aclient.files.content(made.id)).content == b"abc"
    assert (await aclient.files.delete(made.id)).deleted


async def test_many_at_once(aclient: openai.AsyncOpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 8}
    answers = await asyncio.gather(*(aclient.chat.completions.create(**asked, seed=i) for i in range(32)))
    assert all(answer.choices[0].message.content for answer in answers)


async def test_leaving_a_stream(aclient: openai.AsyncOpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 900}
    for _ in range(16):
        stream = await aclient.chat.completions.create(**asked, stream=True)
        await anext(aiter(stream))
        await stream.close()
    assert (await aclient.chat.completions.create(**asked | {"max_tokens": 2})).choices
