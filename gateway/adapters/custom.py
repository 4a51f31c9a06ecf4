"""The in-house services, or any engine that speaks OpenAI's wire: bytes go through as they are."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal
from urllib.parse import quote

import httpx
import orjson

from gateway.settings import Settings
from gateway.text import Call
from shared.errors import ServiceError, UpstreamFailed, UpstreamTimeout, error_from_body
from shared.http import Transport, build_client, never_sent, timed_out
from shared.logs import REQUEST_ID

SHUNNED_S = 5.0
"""How long an address that refused a connection is asked last."""
PROBE_TIMEOUT_S = 5.0
LOAD_TIMEOUT_S = 600.0


class CustomText:
    """The text service at one of `urls`; a request goes to the next one if it could not be sent."""

    def __init__(self, urls: tuple[str, ...], settings: Settings, transport: Transport | None = None) -> None:
        self.roots = [url.rstrip("/").removesuffix("/v1") for url in urls]
        self.refused = dict.fromkeys(self.roots, float("-inf"))
        self.turn = 0
        self.urls: dict[tuple[str, str], httpx.URL] = {}  # parsing one costs 20 µs
        self.client = build_client(
            timeout_s=settings.upstream_timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_in_flight,
            transport=transport,
        )

    async def answer(self, call: Call) -> bytes:
        async with self._send("POST", f"/v1/{call.path}", call.encode()) as reply:
            with _translated():
                return await reply.aread()

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        async with self._send("POST", f"/v1/{call.path}", call.encode()) as reply:
            with _translated():
                async for piece in reply.aiter_raw():
                    yield piece

    async def models(self) -> list[dict[str, Any]]:
        found = (await self._json("GET", "/v1/models", PROBE_TIMEOUT_S)).get("data")
        if not isinstance(found, list):
            raise UpstreamFailed("the upstream's list of models is not what OpenAI's would be")
        return found  # pyright: ignore[reportUnknownVariableType]

    async def model(self, name: str) -> dict[str, Any]:
        return await self._json("GET", f"/v1/models/{quote(name, safe='')}", PROBE_TIMEOUT_S)

    async def load(self, name: str) -> dict[str, Any]:
        return await self._json("POST", f"/v1/models/{quote(name, safe='')}/load", LOAD_TIMEOUT_S)

    async def check_ready(self) -> None:
        async with self._send("GET", "/ready", timeout_s=PROBE_TIMEOUT_S):
            pass

    async def close(self) -> None:
        await self.client.aclose()

    async def _json(self, method: Literal["GET", "POST"], path: str, timeout_s: float) -> dict[str, Any]:
        async with self._send(method, path, timeout_s=timeout_s) as reply:
            with _translated():
                body = await reply.aread()
        try:
            found: Any = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailed("the upstream's answer is not JSON") from error
        if not isinstance(found, dict):
            raise UpstreamFailed("the upstream's answer is not a JSON object")
        return found  # pyright: ignore[reportUnknownVariableType]

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: bytes | None = None, timeout_s: float | None = None
    ) -> AsyncGenerator[httpx.Response]:
        """An answer whose status is good, not yet read; raises what the service says, with its status."""
        reply = await self._reach(method, path, body, timeout_s)
        try:
            if reply.status_code >= 400:
                with _translated():
                    raise _refusal(reply, await reply.aread())
            yield reply
        finally:
            await reply.aclose()

    async def _reach(self, method: str, path: str, body: bytes | None, timeout_s: float | None) -> httpx.Response:
        roots = self._order()
        for i, root in enumerate(roots):
            url = self.urls.get((root, path)) or self._url(root, path)
            headers = {
                "content-type": "application/json",
                "accept-encoding": "identity",
                "x-request-id": REQUEST_ID.get(),
            }
            timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else httpx.Timeout(timeout_s)
            request = self.client.build_request(method, url, content=body, headers=headers, timeout=timeout)
            try:
                with _translated():
                    return await self.client.send(request, stream=True)
            except ServiceError as error:
                if not never_sent(error.__cause__ or error):
                    raise
                self.refused[root] = time.monotonic()
                if i == len(roots) - 1:
                    raise
        raise AssertionError("settings ask for at least one address")

    def _order(self) -> list[str]:
        """In turn, those that refused lately last."""
        if len(self.roots) == 1:
            return self.roots
        self.turn = (self.turn + 1) % len(self.roots)
        turned = self.roots[self.turn :] + self.roots[: self.turn]
        now = time.monotonic()
        return sorted(turned, key=lambda root: now - self.refused[root] < SHUNNED_S)

    def _url(self, root: str, path: str) -> httpx.URL:
        url = httpx.URL(root + path)
        if "/models/" not in path:  # names come from clients: not to be kept
            self.urls[root, path] = url
        return url


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except httpx.TransportError as error:
        if timed_out(error):
            raise UpstreamTimeout("the model service did not answer in time") from error
        raise UpstreamFailed("the model service cannot be reached or broke off") from error


def _refusal(reply: httpx.Response, body: bytes) -> ServiceError:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        sent = None
    error = error_from_body(reply.status_code, sent)
    wait = reply.headers.get("retry-after", "")
    if wait.isdigit():
        error.retry_after_s = float(wait)
    return error


def build_text(settings: Settings, transport: Transport | None) -> CustomText | None:
    """None when ML_TEXT_URL is not set: text is then not offered."""
    return CustomText(settings.ml_text_url, settings, transport) if settings.ml_text_url else None
