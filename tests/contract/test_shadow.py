"""MODEL_SHADOW: both answers are kept to be compared, and the client notices nothing."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.adapters.shadowed import HEADER, MAX_RUNNING
from shared.design import Brief, messages, response_format
from tests.contract.upstream import KEY, MODELS, WORDS, Script

CHAT = "/v1/chat/completions"
SHADOW = "/api/v1/shadow"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def join() -> str:
    return "model_shadow"


async def finished(app: FastAPI) -> None:
    await asyncio.wait_for(asyncio.gather(*app.state.adapter.text.running), 10)


async def record(app: FastAPI, client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    await finished(app)
    return (await client.get(f"{SHADOW}/{answer.headers[HEADER]}")).json()


@pytest.mark.parametrize("stream", [False, True])
async def test_both_answers_are_kept(
    app: FastAPI, client: httpx.AsyncClient, provider: str, other: Script, stream: bool
) -> None:
    body = HELLO | {"stream": stream, "model": MODELS[provider]}
    answer = await client.post(CHAT, json=body, headers={"authorization": "Bearer sk-client"})
    kept = await record(app, client, answer)
    assert (kept["object"], kept["path"], kept["request"], kept["vote"]) == ("shadow", "chat/completions", body, None)
    for side, name in (("first", provider), ("second", other.provider)):
        assert (kept[side]["provider"], kept[side]["model"]) == (name, MODELS[name])
        assert kept[side]["answer"] == "".join(WORDS) and kept[side]["latency_ms"] > 0
        assert kept[side]["score"] is None
    cost = (7 * 0.15 + 3 * 0.60) / 1e6
    assert kept["second" if provider == "custom" else "first"]["cost_usd"] == pytest.approx(cost)
    assert "stream" not in other.seen[-1] and kept["second"]["error"] is None
    database = (app.state.settings.data_dir / "gateway.db").read_bytes()
    assert b"sk-client" not in database and KEY.encode() not in database
    used = (await client.get("/api/v1/usage")).json()["data"]
    assert [row["provider"] for row in used] == [provider], "a key does not pay for what it did not ask for"


async def test_completions_are_compared_and_embeddings_not(app: FastAPI, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/completions", json={"prompt": "hello"})
    assert (await record(app, client, answer))["path"] == "completions"
    answer = await client.post("/v1/embeddings", json={"input": "hello"})
    assert answer.status_code == 200 and HEADER not in answer.headers


@pytest.mark.parametrize(
    ("failure", "code"), [("hang", "upstream_timeout"), ("bad field", "too_hot"), ("not json", "upstream_failed")]
)
async def test_a_second_that_fails_hurts_nobody(
    app: FastAPI, client: httpx.AsyncClient, other: Script, failure: str, code: str
) -> None:
    other.always = failure
    answer = await client.post(CHAT, json=HELLO)
    assert answer.status_code == 200
    second = (await record(app, client, answer))["second"]
    assert (second["answer"], second["error"], second["cost_usd"]) == (None, code, None)


async def test_a_first_that_fails_leaves_nothing_to_compare(
    app: FastAPI, client: httpx.AsyncClient, script: Script
) -> None:
    script.always = "bad field"
    assert (await client.post(CHAT, json=HELLO)).status_code == 400
    await finished(app)
    assert (await client.get(SHADOW)).json()["data"] == []


async def test_no_more_than_so_many_at_once(app: FastAPI, client: httpx.AsyncClient, other: Script) -> None:
    if other.provider == "openai":
        pytest.skip("respx answers at once: nothing stays in flight")
    other.always = "hang"
    answers = await asyncio.gather(*(client.post(CHAT, json=HELLO) for _ in range(MAX_RUNNING + 4)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(HEADER in answer.headers for answer in answers) == MAX_RUNNING


async def test_votes_and_pages(app: FastAPI, client: httpx.AsyncClient) -> None:
    ids = [(await client.post(CHAT, json=HELLO)).headers[HEADER] for _ in range(3)]
    await finished(app)
    voted = await client.post(f"{SHADOW}/{ids[1]}/vote", json={"vote": "second"})
    assert voted.status_code == 200 and voted.json()["vote"] == "second"
    page = (await client.get(SHADOW, params={"limit": 2, "order": "asc"})).json()
    assert page["has_more"] and len(page["data"]) == 2
    rest = (await client.get(SHADOW, params={"after": page["last_id"], "order": "asc"})).json()
    assert {one["id"] for one in page["data"] + rest["data"]} == set(ids) and not rest["has_more"]
    lines = (await client.get(f"{SHADOW}/export")).text.splitlines()
    assert sorted(json.loads(line)["vote"] or "" for line in lines) == ["", "", "second"]
    assert (await client.post(f"{SHADOW}/{ids[1]}/vote", json={"vote": None})).json()["vote"] is None
    assert (await client.post(f"{SHADOW}/{ids[1]}/vote", json={"vote": "best"})).status_code == 400
    assert (await client.post(f"{SHADOW}/nope/vote", json={"vote": "tie"})).status_code == 404


async def test_designs_are_scored(app: FastAPI, client: httpx.AsyncClient) -> None:
    brief = Brief(prompt="Coffee place called Blue Door, 20% off", platform="instagram", format="square")
    body = {"messages": messages(brief), "response_format": response_format(brief)}
    kept = await record(app, client, await client.post(CHAT, json=body))
    assert kept["first"]["score"] == kept["second"]["score"] == 0.0, "these words are no design"
