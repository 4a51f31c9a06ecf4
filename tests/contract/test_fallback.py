"""MODEL_FALLBACK: the other provider answers while the first is down or overloaded, and never otherwise."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.adapters.fallback import HEADER
from tests.contract.upstream import MODELS, WORDS, Script

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def join() -> str:
    return "model_fallback"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", ["busy", "broken", "loading", "html", "hang"])
async def test_the_second_answers_for_the_first(
    client: httpx.AsyncClient, script: Script, other: Script, failure: str, stream: bool
) -> None:
    script.always = failure
    answer = await client.post(CHAT, json=HELLO | {"stream": stream})
    assert answer.status_code == 200 and answer.headers[HEADER] == other.provider
    assert f'"{MODELS[other.provider]}"' in answer.text and WORDS[2] in answer.text
    row = (await client.get("/api/v1/usage")).json()["data"]
    assert [(used["provider"], used["model"]) for used in row] == [(other.provider, MODELS[other.provider])]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("refusal", ["bad field", "too long"])
async def test_a_refusal_is_an_answer(
    client: httpx.AsyncClient, script: Script, other: Script, refusal: str, stream: bool
) -> None:
    script.always = refusal
    answer = await client.post(CHAT, json=HELLO | {"stream": stream})
    assert answer.status_code == 400 and HEADER not in answer.headers and not other.seen


async def test_nothing_is_said_while_the_first_is_there(client: httpx.AsyncClient, other: Script) -> None:
    answer = await client.post(CHAT, json=HELLO)
    assert answer.status_code == 200 and HEADER not in answer.headers and not other.seen


async def test_a_stream_that_began_is_not_begun_again(client: httpx.AsyncClient, script: Script, other: Script) -> None:
    script.always = "drop"
    answer = await client.post(CHAT, json=HELLO | {"stream": True})
    assert answer.status_code == 200 and '"error"' in answer.text and not other.seen


@pytest.mark.parametrize("model", [None, "custom", "openai"])
async def test_names_of_either_provider_mean_the_same_model(
    client: httpx.AsyncClient, script: Script, other: Script, model: str | None
) -> None:
    """The table says that gpt-4o-mini is the custom starter; a row is read in both directions."""
    script.always = "loading"
    body = HELLO if model is None else HELLO | {"model": MODELS[model]}
    answer = await client.post(CHAT, json=body)
    if script.provider == "openai" and model == "custom":  # OpenAI has no such model, and says so
        assert answer.status_code == 404
    else:
        assert answer.status_code == 200 and other.seen[-1]["model"] == MODELS[other.provider]


async def test_where_both_fail_the_first_ones_error_stands(
    client: httpx.AsyncClient, script: Script, other: Script
) -> None:
    script.always, other.always = "busy", "bad field"
    answer = await client.post(CHAT, json=HELLO)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "7" and HEADER not in answer.headers


async def test_vectors_of_two_models_are_not_mixed(client: httpx.AsyncClient, script: Script, other: Script) -> None:
    script.always = "loading"
    answer = await client.post("/v1/embeddings", json={"input": "hello"})
    assert answer.status_code == 503 and not other.seen


async def test_other_surfaces_say_who_answered(app: FastAPI, client: httpx.AsyncClient, script: Script) -> None:
    script.always = "loading"
    answer = await client.post("/api/v1/custom-ai/generate", json={"prompt": "hello"})
    other = "openai" if script.provider == "custom" else "custom"
    assert (answer.status_code, answer.json()["provider"]) == (200, other)


class TestDown:
    """Nobody listens where the first should be."""

    @pytest.fixture
    def provider(self) -> str:
        return "custom"

    @pytest.fixture
    def more(self) -> dict[str, Any]:
        return {"text": {"urls": ("http://127.0.0.1:9",)}}

    @pytest.mark.parametrize("stream", [False, True])
    async def test_the_second_answers(self, client: httpx.AsyncClient, stream: bool) -> None:
        for model in ({}, {"model": "gpt-4o-mini"}, {"model": "starter"}):
            answer = await client.post(CHAT, json=HELLO | {"stream": stream} | model)
            assert answer.status_code == 200 and answer.headers[HEADER] == "openai"
        assert (await client.get("/ready")).status_code == 200
        assert (await client.get("/v1/models")).json()["data"][0]["id"] == "gpt-4o-mini"
