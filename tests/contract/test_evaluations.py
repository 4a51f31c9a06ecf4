"""/api/v1/evaluations over every provider: scores, samples, a page; refusals that name the field; nobody else's."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.evaluations.runner import MAX_ATTEMPTS
from gateway.keys import LOCAL
from gateway.shadow_store import ShadowStore, Side
from tests.contract.upstream import MODELS

ROWS = [
    {"prompt": "greet the fox", "completion": "Grüße 🦊 aus"},
    {"prompt": "busy", "completion": "slow"},
    {"prompt": "</pre><script>alert(1)</script>", "completion": "nothing alike"},
]


async def finished(client: httpx.AsyncClient, sent: dict[str, Any]) -> dict[str, Any]:
    made = await client.post("/api/v1/evaluations", json=sent)
    assert made.status_code == 200, made.text
    for _ in range(200):
        found = (await client.get(f"/api/v1/evaluations/{made.json()['id']}")).json()
        if found["status"] in ("completed", "failed"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_rows_are_answered_scored_and_shown(client: httpx.AsyncClient, provider: str) -> None:
    rows = [ROWS[0], ROWS[2]]
    found = await finished(client, {"rows": rows, "against": {"provider": provider, "model": MODELS[provider]}})
    report = found["report"]
    assert found["status"] == "completed" and report["metrics"] == ["bleu", "rouge", "exact_match"]
    first, second = report["sides"]
    assert first["name"] == second["name"] == f"{MODELS[provider]} ({provider})"
    assert first["scores"] == second["scores"] and set(report["difference"].values()) == {0}
    assert first["scores"]["exact_match"] == 0.5 and first["tokens"] == 6 and first["failed"] == 0
    assert report["samples"][0]["sides"][0]["answer"] == "Grüße 🦊 aus"
    shown = await client.get(f"/api/v1/evaluations/{found['id']}.html")
    assert "Grüße 🦊 aus" in shown.text and "<script>" not in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    listed = (await client.get("/api/v1/evaluations")).json()["data"]
    assert [one["id"] for one in listed] == [found["id"]] and "report" not in listed[0]
    assert "rows" not in listed[0]["request"]


async def test_an_uploaded_file_and_a_failed_answer(client: httpx.AsyncClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("gateway.evaluations.remote.PATIENCE", 1)
    data = "\n".join(map(json.dumps, ROWS[:2])).encode()
    uploaded = await client.post("/v1/files", files={"file": ("rows.jsonl", data)}, data={"purpose": "user_data"})
    found = await finished(client, {"file_id": uploaded.json()["id"], "metrics": ["exact_match"]})
    side = found["report"]["sides"][0]
    assert side["failed"] == 1 and side["scores"] == {"exact_match": 1.0}
    assert found["report"]["samples"][1]["sides"][0]["error"] == "slow down"


@pytest.mark.parametrize(
    ("sent", "status", "param"),
    [
        ({}, 400, "rows"),
        ({"rows": ROWS, "shadow": True}, 400, "shadow"),
        ({"rows": [{"nothing": 1}]}, 400, "dataset"),
        ({"rows": ROWS, "metrics": ["beauty"]}, 400, "metrics"),
        ({"rows": ROWS, "metrics": ["pass"]}, 400, "metrics"),
        ({"rows": ROWS, "provider": "nobody"}, 400, "provider"),
        ({"file_id": "file-none"}, 404, "file_id"),
        ({"rows": ROWS, "limit": 0}, 400, "limit"),
    ],
)
async def test_what_cannot_be_evaluated(client: httpx.AsyncClient, sent: Any, status: int, param: str) -> None:
    refused = await client.post("/api/v1/evaluations", json=sent)
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), refused.text
    assert (await client.get("/api/v1/evaluations")).json()["data"] == []


async def test_a_model_that_is_not_there_fails_it(client: httpx.AsyncClient, provider: str) -> None:
    found = await finished(client, {"rows": ROWS[:1], "model": "nope"})
    if provider == "custom":
        assert found["status"] == "failed" and "nope" in found["error"]
    else:  # OpenAI is the judge of names
        assert found["report"]["sides"][0]["failed"] == 1


async def test_what_was_shadowed_is_reported_with_votes(client: httpx.AsyncClient, app: FastAPI) -> None:
    store = ShadowStore(app.state.settings.data_dir / "gateway.db")
    asked = json.dumps({"messages": [{"role": "user", "content": "greet the fox"}]}).encode()
    sides = Side("custom", "starter", "hello", 10.0, 0.0, 0.5), Side("openai", "gpt", "hi", 30.0, 0.1, 0.75)
    for number in range(3):
        store.add(f"shadow_{number}", LOCAL.id, "chat/completions", asked, *sides)
    store.vote(LOCAL.id, "shadow_1", "second")
    store.add("shadow_of_another", "key_other", "chat/completions", asked, *sides)
    store.close()
    found = await finished(client, {"shadow": True})
    report = found["report"]
    assert report["rows"] == 3 and report["votes"] == {"first": 0, "second": 1, "tie": 0}
    assert [side["name"] for side in report["sides"]] == ["starter (custom)", "gpt (openai)"]
    assert report["difference"] == {"score": 0.25} and report["samples"][1]["vote"] == "second"
    assert "voted for" in (await client.get(f"/api/v1/evaluations/{found['id']}.html")).text


async def test_another_keys_is_not_there_and_a_killed_gateways_is_run_again(app: FastAPI) -> None:
    runner = app.state.evaluations
    from shared.wire.evaluations import EvaluationRequest

    left = runner.store.add("key_other", EvaluationRequest(shadow=True))
    runner.store.note(left.id, status="running", attempts=1)
    hopeless = runner.store.add("key_other", EvaluationRequest(shadow=True))
    runner.store.note(hopeless.id, status="running", attempts=MAX_ATTEMPTS)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
    async with client, app.router.lifespan_context(app):
        for _ in range(100):
            await asyncio.sleep(0.02)
            if runner.store.get("key_other", hopeless.id).status == "failed":
                break
        assert runner.store.get("key_other", left.id).status == "completed"
        assert (await client.get(f"/api/v1/evaluations/{left.id}")).status_code == 404
