"""Every provider of text behaves the same; a new row of PROVIDERS is tested by being listed."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.contract.upstream import KEY, MODELS, USAGE, WORDS, Script

CHAT = "/v1/chat/completions"


@pytest.fixture(params=["", "model_fallback", "model_shadow"], ids=["plain", "fallback", "shadow"])
def join(request: pytest.FixtureRequest) -> str:
    """Two providers joined answer like the first one alone, as long as it is there."""
    return request.param


def chat(said: str = "hello", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": said}], **more}


def events(text: str) -> list[Any]:
    assert text.endswith("\n\n")
    payloads = [event.removeprefix("data: ") for event in text.removesuffix("\n\n").split("\n\n")]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


def check_error(answer: httpx.Response, status: int, code: str | None, param: str | None = None) -> dict[str, Any]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error
    assert answer.headers["x-request-id"] and "openai-processing-ms" in answer.headers
    assert KEY not in answer.text
    return error


async def test_answers_with_the_model_that_answered(client: httpx.AsyncClient, provider: str) -> None:
    answer = await client.post(CHAT, json=chat(model=MODELS[provider]))
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json()["model"] == MODELS[provider]
    assert answer.json()["choices"][0]["message"]["content"] == "".join(WORDS)


async def test_a_route_without_a_model_uses_the_default(client: httpx.AsyncClient, provider: str) -> None:
    assert (await client.post(CHAT, json=chat())).json()["model"] == MODELS[provider]


async def test_completions(client: httpx.AsyncClient, script: Script) -> None:
    answer = await client.post("/v1/completions", json={"prompt": "hello", "max_tokens": 3})
    assert answer.status_code == 200 and script.seen[-1]["prompt"] == "hello" and script.seen[-1]["max_tokens"] == 3


@pytest.mark.parametrize(("asked", "vector"), [("float", [1.0, 0.0]), ("base64", "AACAPwAAAAA="), (None, [1.0, 0.0])])
async def test_embeddings_come_as_they_were_asked_for(
    client: httpx.AsyncClient, provider: str, asked: str | None, vector: Any
) -> None:
    body = {"input": "hello", "stream": True} | ({"encoding_format": asked} if asked else {})
    answer = await client.post("/v1/embeddings", json={"model": MODELS[provider], **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == [{"object": "embedding", "index": 0, "embedding": vector}]
    used = (await client.get("/api/v1/usage")).json()["total"]
    assert (used["prompt_tokens"], used["completion_tokens"]) == (7, 0)


@pytest.mark.parametrize("said", ["bad field", "busy", "hang"])
async def test_embeddings_fail_as_chat_does(client: httpx.AsyncClient, said: str) -> None:
    answer = await client.post("/v1/embeddings", json={"input": said})
    assert answer.status_code == {"bad field": 400, "busy": 429, "hang": 504}[said]


@pytest.mark.parametrize("said", ["hello", "crlf"])
async def test_streams_whole_events(client: httpx.AsyncClient, script: Script, said: str) -> None:
    answer = await client.post(CHAT, json=chat(said, stream=True))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [event["choices"][0]["delta"]["content"] for event in found[:-1]] == WORDS
    assert found[-1] == "[DONE]"
    assert script.seen[-1]["stream_options"] == {"include_usage": True}


async def test_usage_comes_when_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=chat(stream=True, stream_options={"include_usage": True}))
    *_, usage, done = events(answer.text)
    assert usage["choices"] == [] and usage["usage"] == USAGE and done == "[DONE]"


@pytest.mark.parametrize("stream", [False, True])
async def test_every_request_is_accounted_for(client: httpx.AsyncClient, provider: str, stream: bool) -> None:
    for _ in range(2):
        assert (await client.post(CHAT, json=chat(stream=stream))).status_code == 200
    used = (await client.get("/api/v1/usage")).json()
    row = {name: used["data"][0][name] for name in ("provider", "model", "requests")}
    assert row == {"provider": provider, "model": MODELS[provider], "requests": 2}
    assert (used["total"]["prompt_tokens"], used["total"]["completion_tokens"]) == (14, 6)
    assert used["total"]["openai_cost_usd"] == pytest.approx((14 * 0.15 + 6 * 0.60) / 1e6)
    metrics = (await client.get("/metrics")).text
    assert f'gateway_tokens_total{{kind="prompt",model="{MODELS[provider]}",provider="{provider}"}} 14.0' in metrics
    assert f'route="{CHAT}",status="200"' in metrics


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "status", "code", "param"),
    [
        ("bad field", 400, "too_hot", "temperature"),
        ("too long", 400, "context_length_exceeded", "messages"),
        ("busy", 429, "rate_limit_exceeded", None),
        ("broken", 502, "upstream_failed", None),
        ("loading", 503, "not_ready", None),
        ("html", 502, "upstream_failed", None),
        ("hang", 504, "upstream_timeout", None),
    ],
)
async def test_what_the_upstream_says_keeps_its_status(
    client: httpx.AsyncClient, stream: bool, said: str, status: int, code: str, param: str | None
) -> None:
    answer = await client.post(CHAT, json=chat(said, stream=stream))
    check_error(answer, status, code, param)
    if said == "busy":
        assert answer.headers["retry-after"] == "7"


async def test_what_clients_read_before_they_retry(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=chat("crowded"))
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    answer = await client.post(CHAT, json=chat("hopeless"))
    assert answer.status_code == 503 and answer.headers["x-should-retry"] == "false"


async def test_an_answer_that_is_no_json(client: httpx.AsyncClient) -> None:
    check_error(await client.post(CHAT, json=chat("not json")), 502, "upstream_failed")


async def test_a_stream_that_starts_with_an_error_has_its_status(client: httpx.AsyncClient) -> None:
    error = check_error(await client.post(CHAT, json=chat("error first", stream=True)), 507, "507")
    assert error["message"] == "no memory"


@pytest.mark.parametrize(
    ("said", "code"), [("drop", "upstream_failed"), ("cut", "upstream_failed"), ("silence", "upstream_timeout")]
)
async def test_a_late_failure_is_the_last_event(client: httpx.AsyncClient, said: str, code: str) -> None:
    answer = await client.post(CHAT, json=chat(said, stream=True))
    assert answer.status_code == 200
    *words, last = events(answer.text)
    assert words and all("choices" in event for event in words)
    assert set(last["error"]) == {"message", "type", "param", "code"} and last["error"]["code"] == code


async def test_a_broken_stream_is_charged_for_what_came(client: httpx.AsyncClient) -> None:
    await client.post(CHAT, json=chat("cut", stream=True))
    total = (await client.get("/api/v1/usage")).json()["total"]
    assert total["requests"] == 1 and total["completion_tokens"] >= 1 and total["prompt_tokens"] >= 1


async def test_an_unknown_model(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=chat(model="nope"))
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found"


async def test_a_model_published_just_now_answers_by_name(client: httpx.AsyncClient, script: Script) -> None:
    assert (await client.post(CHAT, json=chat())).status_code == 200
    script.models.append("ft:new")
    assert (await client.post(CHAT, json=chat(model="ft:new"))).json()["model"] == "ft:new"


async def test_fields_that_nobody_knows_are_tolerated(client: httpx.AsyncClient, script: Script, provider: str) -> None:
    answer = await client.post(CHAT, json=chat(ignore_eos=True, continuous_usage_stats=True, top_k=5, seed=3))
    assert answer.status_code == 200 and script.seen[-1]["seed"] == 3
    assert provider != "openai" or "ignore_eos" not in script.seen[-1]  # OpenAI would refuse it


async def test_the_request_id_runs_through(client: httpx.AsyncClient, script: Script, provider: str) -> None:
    answer = await client.post(CHAT, json=chat(), headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    sent = script.headers[-1]["x-client-request-id" if provider == "openai" else "x-request-id"]
    assert sent == "mine-1"


async def test_the_clients_key_stays_here(client: httpx.AsyncClient, script: Script, provider: str) -> None:
    await client.post(CHAT, json=chat(), headers={"authorization": "Bearer sk-client"})
    assert "sk-client" not in json.dumps(script.headers)
    assert script.headers[-1].get("authorization") == (f"Bearer {KEY}" if provider == "openai" else None)


async def test_models(client: httpx.AsyncClient, provider: str) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["object"] == "list" and [model["id"] for model in listed["data"]] == [MODELS[provider]]
    assert (await client.get(f"/v1/models/{MODELS[provider]}")).json()["id"] == MODELS[provider]
    assert (await client.get("/ready")).status_code == 200


ALIASES = {"theirs": {"custom": "starter", "openai": "gpt-4o-mini"}, "starter": {"custom": "nope"}}


class TestAliases:
    @pytest.fixture
    def more(self, tmp_path: Path) -> dict[str, Any]:
        path = tmp_path / "aliases.json"
        path.write_text(json.dumps(ALIASES))
        return {"model_aliases": path}

    @pytest.mark.parametrize("stream", [False, True])
    async def test_an_alias_means_the_providers_model(
        self, client: httpx.AsyncClient, script: Script, provider: str, stream: bool
    ) -> None:
        assert (await client.post(CHAT, json=chat(model="theirs", stream=stream))).status_code == 200
        assert script.seen[-1]["model"] == MODELS[provider]

    async def test_a_name_that_the_provider_has_is_taken(self, client: httpx.AsyncClient, provider: str) -> None:
        assert (await client.post(CHAT, json=chat(model=MODELS[provider]))).json()["model"] == MODELS[provider]

    async def test_the_model_route_knows_aliases(self, client: httpx.AsyncClient, provider: str) -> None:
        assert (await client.get("/v1/models/theirs")).json()["id"] == MODELS[provider]


class TestLimits:
    @pytest.fixture
    def more(self) -> dict[str, Any]:
        return {"limit": {"requests": 3, "tokens": 15}}

    async def test_tokens_are_charged_after_and_checked_before(self, client: httpx.AsyncClient) -> None:
        first = await client.post(CHAT, json=chat(stream=True))
        assert (
            first.headers["x-ratelimit-limit-tokens"] == "15" and first.headers["x-ratelimit-remaining-requests"] == "2"
        )
        assert (await client.post(CHAT, json=chat())).status_code == 200  # 10 of 15 are gone, 5 are left
        third = await client.post(CHAT, json=chat())
        check_error(third, 429, "rate_limit_exceeded")
        assert 15 <= int(third.headers["retry-after"]) <= 25  # 6 tokens at 15 per minute


async def test_a_key_that_the_provider_refuses_is_not_the_clients_fault(
    app: FastAPI, client: httpx.AsyncClient, join: str
) -> None:
    if app.state.settings.model_provider != "openai":
        pytest.skip("only OpenAI asks the gateway for a key")
    if join:
        pytest.skip("the same adapter as alone")
    fake = httpx.MockTransport(
        lambda _: httpx.Response(
            401, json={"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
        )
    )
    app.state.adapter.text.models.client._client._transport = fake
    answer = await client.post(CHAT, json=chat())
    check_error(answer, 502, "upstream_unauthorized")
    assert answer.headers["x-should-retry"] == "false"
