"""What bad input gets: a 4xx in OpenAI's envelope that names the field, and a server that goes on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

CHAT = "/v1/chat/completions"
GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
SHOWN = '"messages":[{"role":"user","content":"hello"}]'


@pytest.fixture
def more() -> dict[str, Any]:
    return {"body_limit_bytes": 4096}


BROKEN = {
    "empty": (b"", None),
    "not JSON": (b"{", None),
    "not UTF-8": (b'{"model":"\xff"}', None),
    "a list": (b"[]", None),
    "a string": (b'"x"', None),
    "NaN": (b'{"temperature":NaN,%s}' % SHOWN.encode(), "temperature"),
    "Infinity": (b'{"a":{"b":[1,-Infinity]},%s}' % SHOWN.encode(), "a.b[1]"),
    "1e999": (b'{"top_p":1e999,%s}' % SHOWN.encode(), "top_p"),
    "a lone surrogate": (b'{"messages":[{"role":"user","content":"\\ud83d"}]}', "messages[0].content"),
    "deep nesting": (b'{"messages":' + b"[" * 1500 + b"]" * 1500 + b"}", None),
    "nesting that can be read but not written": (b'{"messages":' + b"[" * 600 + b"]" * 600 + b"}", None),
}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
@pytest.mark.parametrize("name", sorted(BROKEN))
async def test_broken_json(client: httpx.AsyncClient, name: str, content_type: str) -> None:
    body, param = BROKEN[name]
    stream = body[:1] + b'"stream":true,' + body[1:] if name.startswith("nesting") else body
    answer = await client.post(CHAT, content=stream, headers={"content-type": content_type})
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["param"] == param and error["type"] == "invalid_request_error", error
    assert (await client.post(CHAT, json=GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ""}, "messages"),
        ({"model": 5}, "model"),
        ({"model": ["starter"]}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream": True, "stream_options": [1]}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"model": "x" * 2000}, "model"),
    ],
)
async def test_wrong_types(client: httpx.AsyncClient, provider: str, fields: dict[str, Any], param: str) -> None:
    answer = await client.post(CHAT, json=GOOD | fields)
    assert answer.status_code in (400, 404), answer.text
    if provider == "custom" or answer.status_code == 400:
        assert answer.json()["error"]["param"] == param


async def test_1e308_is_the_models_to_judge(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, content=b'{"temperature":1e308,%s}' % SHOWN.encode())
    assert answer.status_code == 200  # this upstream does not mind


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_above_the_limit(client: httpx.AsyncClient, announced: bool) -> None:
    body = json.dumps(GOOD | {"user": "x" * 5000}).encode()

    async def chunks():
        for i in range(0, len(body), 1000):
            yield body[i : i + 1000]

    answer = await client.post(CHAT, content=body if announced else chunks())
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "body_too_large"


async def test_routes_that_do_not_exist(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/nope")
    assert answer.status_code == 404 and set(answer.json()["error"]) == {"message", "type", "param", "code"}
    answer = await client.get("/v1/completions")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    for path in (CHAT, "/v1/files"):  # one path, several routes
        assert (await client.put(path)).headers["allow"] == "GET, POST"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2F..%2Fhealth", "%00", "a" * 3000, "ünï", "?x=1", "#"])
async def test_hostile_model_names(client: httpx.AsyncClient, provider: str, name: str) -> None:
    answer = await client.get(f"/v1/models/{name}")
    assert answer.status_code == (200 if name[0] in "?#" else 404)
    assert answer.status_code == 200 or "error" in answer.json()


async def test_a_bug_says_internal_error_and_an_id(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app.state.adapter.text.names, "resolve", fail)
    answer = await client.post(CHAT, json=GOOD)
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]


class TestOverload:
    @pytest.fixture
    def more(self, tmp_path: Path) -> dict[str, Any]:
        return {"max_in_flight": 1}

    async def test_one_too_many_is_told_to_come_back(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        if app.state.settings.model_provider == "openai":
            pytest.skip("respx answers at once: nothing stays in flight")
        slow = asyncio.create_task(client.post(CHAT, json={"messages": [{"role": "user", "content": "hang"}]}))
        await asyncio.sleep(0.1)
        refused = await client.post(CHAT, json=GOOD)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "overloaded"
        assert refused.headers["retry-after"] == "1"
        assert (await slow).status_code == 504
        assert (await client.post(CHAT, json=GOOD)).status_code == 200
