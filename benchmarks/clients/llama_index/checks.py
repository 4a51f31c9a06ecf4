"""LlamaIndex, by its classes for OpenAI and for what is like OpenAI."""

import os
from typing import Annotated, Any, Literal

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike, OpenAILikeResponses
from pydantic import BaseModel, Field

ASK = [ChatMessage(role="user", content="A small cake for Anna and Bo.")]


class Order(BaseModel):
    """An order of cakes."""

    guest: Literal["Anna", "Bo"]
    centimetres: Annotated[int, Field(ge=10, le=90)]


def price(size: Literal["small", "large"]) -> str:
    """What a cake costs."""
    return f"a {size} one costs 12"


TOOL = FunctionTool.from_defaults(price)


def made(kind: Any, **more: Any) -> Any:
    return kind(
        model=os.environ["CHAT_MODEL"],
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
        context_window=1024,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
        **more,
    )


@pytest.fixture(params=["chat", "responses"])
def llm(request: pytest.FixtureRequest) -> Any:
    if request.param == "chat":
        return made(OpenAILike, max_tokens=200)
    return made(OpenAILikeResponses, max_output_tokens=200)


def test_chat(llm: Any):
    assert llm.chat(ASK).message.content


def test_chat_streamed(llm: Any):
    assert "".join(part.delta or "" for part in llm.stream_chat(ASK))


async def test_async(llm: Any):
    assert (await llm.achat(ASK)).message.content
    assert "".join([part.delta or "" async for part in await llm.astream_chat(ASK)])


def test_complete(llm: Any):
    assert llm.complete("the quick brown").text


def test_plain_completions():
    llm = made(OpenAILike, max_tokens=20).model_copy(update={"is_chat_model": False})
    assert llm.complete("the quick brown").text
    assert list(llm.stream_complete("the quick brown"))[-1].text


def test_calls(llm: Any):
    answer = llm.chat_with_tools([TOOL], "A cake", tool_required=True)
    calls = llm.get_tool_calls_from_response(answer)
    assert calls and all(call.tool_kwargs["size"] in ("small", "large") for call in calls)


def test_predict_and_call(llm: Any):
    assert "costs 12" in llm.predict_and_call([TOOL], "A cake", tool_required=True).response


def test_structured_output(llm: Any):
    answer = llm.as_structured_llm(Order).chat(ASK)
    assert isinstance(answer.raw, Order)


def test_embeddings():
    embedder = OpenAILikeEmbedding(
        model_name=os.environ["EMBEDDING_MODEL"],
        api_base=os.environ["OPENAI_BASE_URL"],
        api_key=os.environ["OPENAI_API_KEY"],
    )
    vectors = embedder.get_text_embedding_batch(["coffee", "yoga"])
    assert len(vectors) == 2 and len(embedder.get_query_embedding("coffee")) == len(vectors[0])
