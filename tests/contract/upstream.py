"""Both providers as the gateway sees them: the user's message says what the upstream does, in OpenAI's own shapes.

`custom` is a small ASGI app behind a real server; `openai` is a respx router under the SDK. Both play the same script.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx
import respx
import uvicorn

MODELS = {"custom": "starter", "openai": "gpt-4o-mini"}
KEY = "sk-upstream-secret"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
NO_MODEL = {"message": "no such model", "type": "invalid_request_error", "param": None, "code": "model_not_found"}
WORDS = ["Grüße", " 🦊", " aus"]
REFUSALS: dict[str, tuple[int, dict[str, str], dict[str, Any]]] = {
    "bad field": (
        400,
        {},
        {"message": "too hot", "type": "invalid_request_error", "param": "temperature", "code": "too_hot"},
    ),
    "too long": (
        400,
        {},
        {
            "message": "too many tokens",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
    "busy": (
        429,
        {"retry-after": "7"},
        {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
    ),
    "crowded": (429, {}, {"message": "later", "type": "requests", "param": None, "code": None}),
    "hopeless": (
        503,
        {"x-should-retry": "false"},
        {"message": "never", "type": "server_error", "param": None, "code": "not_ready"},
    ),
    "broken": (500, {}, {"message": "oops", "type": "server_error", "param": None, "code": None}),
    "loading": (503, {}, {"message": "loading", "type": "server_error", "param": None, "code": "not_ready"}),
}


class Hang(Exception):
    """The upstream falls silent."""


class Drop(Exception):
    """The upstream's connection breaks."""


@dataclass
class Script:
    """What an upstream does with a request, and what it saw."""

    provider: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    left: int = 0
    """How many streams their client left."""
    always: str = ""
    """What is answered as if the user had said this, whatever was said."""

    def __post_init__(self) -> None:
        self.models = [MODELS[self.provider]]

    def list_models(self) -> dict[str, Any]:
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "them"} for name in self.models]
        return {"object": "list", "data": data}

    def look(self, method: str, name: str) -> tuple[int, dict[str, Any]]:
        """Status and body of what is asked about one model; those made here can be deleted."""
        if name not in self.models:
            return 404, {"error": NO_MODEL}
        if method == "GET":
            return 200, {"id": name, "object": "model", "created": 1, "owned_by": "them"}
        if name == MODELS[self.provider]:
            return 403, {"error": {**NO_MODEL, "message": "not yours", "code": None, "param": "model"}}
        self.models.remove(name)
        return 200, {"id": name, "object": "model", "deleted": True}

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], list[Any]]:
        """Status, headers, and the pieces of the body; an exception among them happens there."""
        self.seen.append(body)
        self.headers.append(headers)
        said = self.always or _said(body)
        if body["model"] not in self.models:
            return 404, {}, [json.dumps({"error": NO_MODEL}).encode()]
        if said in REFUSALS:
            status, more, error = REFUSALS[said]
            return status, more, [json.dumps({"error": error}).encode()]
        if said == "hang":
            raise Hang
        if said == "html":
            return 502, {"content-type": "text/html"}, [b"<html>bad gateway</html>"]
        if said == "not json":
            return 200, {}, [b"<html>"]
        if path.endswith("/embeddings"):
            return 200, {}, [json.dumps(_embedded(body)).encode()]
        if body.get("stream"):
            return 200, {"content-type": "text/event-stream"}, self._events(body, said)
        choice = {"index": 0, "message": {"role": "assistant", "content": "".join(WORDS)}, "finish_reason": "stop"}
        whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": USAGE}
        return 200, {}, [json.dumps({**whole, "choices": [choice]}).encode()]

    def _events(self, body: dict[str, Any], said: str) -> list[Any]:
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        chunks = [{**head, "choices": [{"index": 0, "delta": {"content": word}}]} for word in WORDS]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**head, "choices": [], "usage": USAGE})
        stream = b"".join(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks)
        stream += b"data: [DONE]\n\n"
        if said == "error first":
            return [
                b'data: {"error": {"message": "no memory", "type": "server_error", "code": 507, "param": null}}\n\n'
            ]
        if said == "drop":
            return [stream[: len(stream) // 2], Drop()]
        if said == "cut":
            return [stream[: len(stream) // 2]]
        if said == "silence":
            return [stream[: len(stream) // 2], Hang()]
        if said == "crlf":
            return [stream.replace(b"\n", b"\r\n")]
        return [stream[i : i + 3] for i in range(0, len(stream), 3)]  # events and letters torn


def _said(body: dict[str, Any]) -> Any:
    for name in ("prompt", "input"):
        if name in body:
            return body[name]
    return body["messages"][-1]["content"]


def _embedded(body: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's answer, with as little in it as there can be."""
    vector = "AACAPwAAAAA=" if body.get("encoding_format") == "base64" else [1.0, 0.0]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 7, "total_tokens": 7}}


def router(script: Script) -> respx.Router:
    """OpenAI as respx plays it."""
    fake = respx.Router(assert_all_called=False)

    def complete(request: httpx.Request) -> httpx.Response:
        try:
            answer = script.answer(request.url.path, json.loads(request.content), dict(request.headers))
        except Hang:
            raise httpx.ReadTimeout("silence", request=request) from None
        status, headers, pieces = answer
        return httpx.Response(status, headers={"content-type": "application/json"} | headers, stream=_Body(pieces))

    def models(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=script.list_models())

    def model(request: httpx.Request) -> httpx.Response:
        status, body = script.look(request.method, unquote(request.url.raw_path.decode().split("/v1/models/")[1]))
        return httpx.Response(status, json=body)

    fake.post(url__regex=r".*/v1/(chat/completions|completions|embeddings)$").mock(side_effect=complete)
    fake.get("https://api.openai.test/v1/models").mock(side_effect=models)
    fake.route(method__in=["GET", "DELETE"], url__startswith="https://api.openai.test/v1/models/").mock(
        side_effect=model
    )
    return fake


class _Body(httpx.AsyncByteStream):
    def __init__(self, pieces: list[Any]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Drop):
                raise httpx.ReadError("broken")
            if isinstance(piece, Hang):
                raise httpx.ReadTimeout("silence")
            yield piece


def service(script: Script) -> Any:
    """The custom provider as an ASGI app."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"].startswith("/v1/models/"):
            status, found = script.look(scope["method"], scope["path"].removeprefix("/v1/models/"))
            headers, pieces = {}, [json.dumps(found).encode()]
        elif scope["method"] == "GET":
            status, headers, pieces = 200, {}, [json.dumps(script.list_models()).encode()]
        else:
            sent = {name.decode(): value.decode() for name, value in scope["headers"]}
            try:
                status, headers, pieces = script.answer(scope["path"], json.loads(body), sent)
            except Hang:
                await receive()
                return
        await _play(script, status, headers, pieces, receive, send)

    return app


async def _play(
    script: Script, status: int, headers: dict[str, str], pieces: list[Any], receive: Any, send: Any
) -> None:
    headers = {"content-type": "application/json"} | headers
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for piece in pieces:
        if isinstance(piece, Drop):
            raise RuntimeError("dropped on purpose")
        if isinstance(piece, Hang):
            await receive()
            script.left += 1
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """`app` behind a real server in a thread, at any free port unless one is named; its address."""
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="auto", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
