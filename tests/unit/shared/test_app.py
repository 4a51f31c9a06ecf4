"""Errors, request ids, metrics and event streams, as every app of ours has them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.testclient import TestClient

from shared.app import create_app, event_stream, from_validation
from shared.errors import InvalidRequest, NotReady, OutOfMemory, Overloaded
from shared.logs import JsonFormatter, note
from shared.wire.chat import ChatRequest

router = APIRouter()
closed: list[str] = []


class Chunk(BaseModel):
    text: str


@router.post("/chat")
async def chat(request: ChatRequest) -> dict[str, Any]:
    note(model=request.model)
    return {"temperature": request.temperature}


@router.get("/raise/{kind}")
async def fail(kind: str) -> None:
    errors = {
        "busy": Overloaded("later", retry_after_s=2.1),
        "memory": OutOfMemory("too big"),
        "bug": KeyError("secret"),
    }
    raise errors[kind]


@router.get("/stream/{kind}")
async def stream(kind: str) -> Any:
    async def chunks() -> AsyncIterator[Chunk | bytes]:
        try:
            if kind == "early":
                raise NotReady("loading")
            yield Chunk(text="Grüße")
            yield b'{"raw":true}'
            if kind == "late":
                raise InvalidRequest("no more", param="x")
            if kind == "bug":
                raise RuntimeError("secret")
            if kind == "slow":
                await asyncio.sleep(60)
        finally:
            closed.append(kind)

    return event_stream(chunks())


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app("test", routers=[router]), raise_server_exceptions=False) as client:
        yield client


def test_health_and_metrics(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    client.get("/nope/1")
    text = client.get("/metrics").text
    assert 'http_request_seconds_count{method="GET",route="/health",status="200"} 1.0' in text
    assert 'route="unmatched",status="404"' in text and "nope" not in text
    assert "http_requests_running 1.0" in text


@pytest.mark.parametrize("sent", ["abc-1", None, "x" * 200, "tab\there"])
def test_request_ids(client: TestClient, sent: str | None) -> None:
    answer = client.get("/health", headers={"x-request-id": sent} if sent else {})
    assert (answer.headers["x-request-id"] == sent) == (sent == "abc-1")
    assert answer.headers["openai-processing-ms"].isdigit()


@pytest.mark.parametrize(
    ("kind", "status", "code", "header"),
    [
        ("busy", 429, "overloaded", ("retry-after", "3")),
        ("memory", 507, "out_of_memory", ("x-should-retry", "false")),
        ("bug", 500, "internal_error", ("content-type", "application/json")),
    ],
)
def test_errors_have_openais_envelope(
    client: TestClient, kind: str, status: int, code: str, header: tuple[str, str]
) -> None:
    answer = client.get(f"/raise/{kind}")
    error = answer.json()["error"]
    assert answer.status_code == status and error["code"] == code and set(error) == {"message", "type", "param", "code"}
    assert answer.headers[header[0]] == header[1] and "secret" not in answer.text
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": "hot"}, "temperature"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": 1e308}, "temperature"),
        ({"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user", "content": "x"}], "n": 17}, "n"),
    ],
)
def test_validation_is_a_400_that_names_the_field(client: TestClient, body: dict[str, Any], param: str) -> None:
    answer = client.post("/chat", json=body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param, answer.text


def test_a_field_of_the_query_is_named() -> None:
    error = from_validation([{"loc": ("query", "days"), "msg": "Field required"}], None)
    assert error.param == "days"


def test_405_says_what_is_allowed(client: TestClient) -> None:
    answer = client.get("/chat")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_streams(client: TestClient) -> None:
    answer = client.get("/stream/good")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text == 'data: {"text":"Grüße"}\n\ndata: {"raw":true}\n\ndata: [DONE]\n\n'


def test_an_early_failure_is_a_status(client: TestClient) -> None:
    assert client.get("/stream/early").status_code == 503


@pytest.mark.parametrize(("kind", "message"), [("late", "no more"), ("bug", "internal error")])
def test_a_late_failure_is_the_last_event(client: TestClient, kind: str, message: str) -> None:
    answer = client.get(f"/stream/{kind}")
    last = json.loads(answer.text.removesuffix("\n\n").rpartition("data: ")[2])
    assert answer.status_code == 200 and last["error"]["message"].startswith(message)
    assert "[DONE]" not in answer.text and "secret" not in answer.text


async def test_the_source_is_closed_when_the_client_leaves() -> None:
    app = create_app("test", routers=[router])
    sent: list[Any] = []
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if b"raw" in message.get("body", b""):
            left.set()

    scope = {"type": "http", "method": "GET", "path": "/stream/slow", "headers": [], "query_string": b"", "app": app}
    closed.clear()
    await asyncio.wait_for(app(scope, receive, send), timeout=5)
    assert closed == ["slow"] and not any(message.get("more_body") is False for message in sent[1:])


def test_one_log_line_per_request(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = {"model": "m1", "messages": [{"role": "user", "content": "a secret"}]}
    client.post("/chat?token=secret", json=body, headers={"x-request-id": "id-1", "authorization": "Bearer secret"})
    client.get("/health")
    (record,) = [record for record in caplog.records if record.name == "access"]
    line = json.loads(JsonFormatter().format(record))
    assert (line["path"], line["status"], line["method"], line["model"]) == ("/chat", 200, "POST", "m1")
    assert "secret" not in json.dumps(line)
