"""The outermost layer of every app: request id, time, metrics, one log line, and an answer to every failure.

Plain ASGI, because Starlette's BaseHTTPMiddleware costs about 0.5 ms of CPU per request.
"""

import json
import logging
import math
import secrets
import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

from shared.asgi import App, Message, Receive, Scope, Send
from shared.errors import ServiceError, error_body
from shared.logs import FIELDS, REQUEST_ID

log = logging.getLogger("access")

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
CLIENT_LEFT = 499
"""The status in log and metrics when the client hung up before an answer began (nginx's number)."""
QUIET = ("/health", "/ready", "/metrics")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
Headers = list[tuple[bytes, bytes]]
HEADERS: ContextVar[Headers | None] = ContextVar("response_headers", default=None)


def add_header(name: str, value: str) -> None:
    """Send `name` with this request's answer, if its headers have not left; outside a request there is none."""
    headers = HEADERS.get()
    if headers is not None:
        headers.append((name.encode(), value.encode()))


class Instrument:
    """Inner layers append headers to `scope["response_headers"]`, and `note()` what the log should say."""

    def __init__(self, app: App, registry: CollectorRegistry) -> None:
        self.app = app
        self.seconds = Histogram(
            "http_request_seconds",
            "time to the end of the answer",
            ["method", "route", "status"],
            registry=registry,
            buckets=BUCKETS,
        )
        self.running = Gauge("http_requests_running", "requests in flight", registry=registry)
        self.children: dict[tuple[str, str, int], Histogram] = {}  # labels() costs more than the rest of this class

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = _request_id(scope)
        fields: dict[str, Any] = {}
        token, fields_token = REQUEST_ID.set(request_id), FIELDS.set(fields)
        headers: Headers = [(b"x-request-id", request_id.encode())]
        scope["response_headers"] = headers
        headers_token = HEADERS.set(headers)
        status = 0

        async def send_stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                took = b"%d" % ((time.perf_counter() - start) * 1000)
                message["headers"] = [*message.get("headers", ()), *headers, (b"openai-processing-ms", took)]
            await send(message)

        self.running.inc()
        try:
            await self.app(scope, receive, send_stamped)
        except Exception as error:
            if status:  # too late for an answer: the server closes the connection, so the client sees it is torn
                raise
            await send_error(_expected(error, scope), send_stamped)
        finally:
            self.running.dec()
            self._record(scope, status or CLIENT_LEFT, time.perf_counter() - start, fields)
            REQUEST_ID.reset(token)
            FIELDS.reset(fields_token)
            HEADERS.reset(headers_token)

    def _record(self, scope: Scope, status: int, seconds: float, fields: dict[str, Any]) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")  # never the raw path: it would grow without bound
        method = scope["method"] if scope["method"] in METHODS else "other"
        label = (method, route, status)
        child = self.children.get(label)
        if child is None:
            child = self.children[label] = self.seconds.labels(method, route, str(status))
        child.observe(seconds)
        if (status >= 400 or scope["path"] not in QUIET) and log.isEnabledFor(logging.INFO):
            line = {"method": method, "path": scope["path"], "status": status, "ms": round(seconds * 1000, 2)}
            record = logging.LogRecord(log.name, logging.INFO, "", 0, "request", None, None)  # spares a stack walk
            record.fields = {**line, **fields}
            log.handle(record)


def _expected(error: Exception, scope: Scope) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    log.error("bug in %s %s", scope["method"], scope["path"], exc_info=error)
    return ServiceError(f"internal error; request id {REQUEST_ID.get()}")  # never leak the text of a bug


def _request_id(scope: MutableMapping[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and 0 < len(value) <= 128 and value.isascii() and value.decode().isprintable():
            return value.decode()
    return "req_" + secrets.token_hex(12)


def error_headers(error: ServiceError) -> dict[str, str]:
    """What the clients' retry logic reads."""
    headers: dict[str, str] = {}
    wait_s = error.retry_after_s
    if wait_s is None and error.status == 429 and error.should_retry is not False:
        wait_s = 1.0  # an engine that says none; no 429 of ours is without
    if wait_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(wait_s)))
    if error.should_retry is not None:
        headers["x-should-retry"] = "true" if error.should_retry else "false"
    return headers


async def send_error(error: ServiceError, send: Send) -> None:
    """Answer with OpenAI's envelope from plain ASGI."""
    body = json.dumps(error_body(error)).encode()
    headers = [(name.encode(), value.encode()) for name, value in error_headers(error).items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
