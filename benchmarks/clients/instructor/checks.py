"""instructor in each of its modes for OpenAI: what comes back is a valid object at the first try."""

import os
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import instructor
import openai
import pytest
from pydantic import BaseModel, Field

ASK: Any = [{"role": "user", "content": "Anna and Bo want a small cake."}]
TOLD_IN_WORDS = "needs a clever model: the keys are told in words only"


class Size(BaseModel):
    name: Literal["small", "large"]
    centimetres: Annotated[int, Field(ge=10, le=90)]


class Order(BaseModel):
    """An order of cakes."""

    guests: Annotated[list[Literal["Anna", "Bo", "Cid"]], Field(min_length=1, max_length=3)]
    size: Size
    note: Annotated[str, Field(max_length=30)] | None


@pytest.fixture
def body() -> Any:
    return {"model": os.environ["CHAT_MODEL"], "messages": ASK, "max_tokens": 300, "max_retries": 1}


MODES = [
    instructor.Mode.TOOLS,
    instructor.Mode.TOOLS_STRICT,
    instructor.Mode.JSON_SCHEMA,
    pytest.param(instructor.Mode.JSON, marks=pytest.mark.skip(reason=TOLD_IN_WORDS)),
    pytest.param(instructor.Mode.MD_JSON, marks=pytest.mark.skip(reason=TOLD_IN_WORDS)),
]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_create(body: Any, mode: instructor.Mode):
    client = instructor.from_openai(openai.OpenAI(max_retries=0), mode=mode)
    assert isinstance(client.chat.completions.create(**body, response_model=Order), Order)


@pytest.mark.parametrize("mode", [instructor.Mode.RESPONSES_TOOLS], ids=str)
def test_responses(body: Any, mode: instructor.Mode):
    client = instructor.from_openai(openai.OpenAI(max_retries=0), mode=mode)
    made = client.responses.create(
        model=body["model"], input="A small cake", response_model=Order, max_output_tokens=300, max_retries=1
    )
    assert isinstance(made, Order)


def test_partial(body: Any):
    client = instructor.from_openai(openai.OpenAI(max_retries=0), mode=instructor.Mode.TOOLS)
    parts = list(client.chat.completions.create_partial(**body, response_model=Order))
    assert len(parts) > 1 and Order.model_validate(parts[-1].model_dump())


def test_iterable(body: Any):
    client = instructor.from_openai(openai.OpenAI(max_retries=0), mode=instructor.Mode.TOOLS)
    for made in client.chat.completions.create(**body, response_model=Iterable[Size]):
        assert isinstance(made, Size)


def test_with_the_completion(body: Any):
    client = instructor.from_openai(openai.OpenAI(max_retries=0))
    made, raw = client.chat.completions.create_with_completion(**body, response_model=Order)
    assert isinstance(made, Order) and raw.usage.completion_tokens > 0


async def test_async(body: Any):
    async with openai.AsyncOpenAI(max_retries=0) as plain:
        client = instructor.from_openai(plain)
        assert isinstance(await client.chat.completions.create(**body, response_model=Order), Order)


def test_from_provider(body: Any):
    client = instructor.from_provider(f"openai/{body.pop('model')}")
    assert isinstance(client.chat.completions.create(**body, response_model=Order), Order)
