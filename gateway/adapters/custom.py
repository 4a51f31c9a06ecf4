"""The in-house services, or any engine that speaks OpenAI's wire: bytes go through as they are."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import quote

import orjson

from gateway.settings import Settings
from gateway.text import Call
from shared.errors import ServiceError, UpstreamFailed, error_from_body
from shared.http import HttpClient, Reply, Transport, Unreachable
from shared.logs import REQUEST_ID

SHUNNED_S = 5.0
"""How long an address that refused a connection is asked last."""
PROBE_TIMEOUT_S = 5.0
LOAD_TIMEOUT_S = 600.0


class CustomText:
    """The text service at one of `urls`; a request goes to the next one if it could not be sent."""

    def __init__(self, urls: tuple[str, ...], settings: Settings) -> None:
        self.roots = [url.rstrip("/").removesuffix("/v1") for url in urls]
        self.refused = dict.fromkeys(self.roots, float("-inf"))
        self.turn = 0
        self.client = HttpClient(
            timeout_s=settings.upstream_timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_in_flight,
        )

    async def answer(self, call: Call) -> bytes:
        reply = await self._send("POST", f"/v1/{call.path}", call.encode())
        try:
            return await reply.read()
        finally:
            reply.close()

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        reply = await self._send("POST", f"/v1/{call.path}", call.encode())
        try:
            async with aclosing(reply.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            reply.close()

    async def models(self) -> list[dict[str, Any]]:
        found = (await self._json("GET", "/v1/models", PROBE_TIMEOUT_S)).get("data")
        if not isinstance(found, list):
            raise UpstreamFailed("the upstream's list of models is not what OpenAI's would be")
        return cast(list[dict[str, Any]], found)

    async def model(self, name: str) -> dict[str, Any]:
        return await self._json("GET", f"/v1/models/{quote(name, safe='')}", PROBE_TIMEOUT_S)

    async def load(self, name: str) -> dict[str, Any]:
        return await self._json("POST", f"/v1/models/{quote(name, safe='')}/load", LOAD_TIMEOUT_S)

    async def delete(self, name: str) -> dict[str, Any]:
        return await self._json("DELETE", f"/v1/models/{quote(name, safe='')}", PROBE_TIMEOUT_S)

    async def versions(self, name: str) -> dict[str, Any]:
        return await self._json("GET", f"/v1/models/{quote(name, safe='')}/versions", PROBE_TIMEOUT_S)

    async def promote(self, name: str, version: str | None) -> dict[str, Any]:
        path = f"/v1/models/{quote(name, safe='')}/{'promote' if version else 'rollback'}"
        return await self._json("POST", path, PROBE_TIMEOUT_S, {"version": version} if version else None)

    async def check_ready(self) -> None:
        (await self._send("GET", "/ready", timeout_s=PROBE_TIMEOUT_S)).close()

    async def close(self) -> None:
        await self.client.close()

    async def _json(self, method: str, path: str, timeout_s: float, body: object = None) -> dict[str, Any]:
        sent = None if body is None else orjson.dumps(body)
        reply = await self._send(method, path, sent, timeout_s)
        try:
            found = await reply.json()
        finally:
            reply.close()
        if not isinstance(found, dict):
            raise UpstreamFailed("the upstream's answer is not a JSON object")
        return cast(dict[str, Any], found)

    async def _send(self, method: str, path: str, body: bytes | None = None, timeout_s: float | None = None) -> Reply:
        """A reply of good status; raises what the service says, with its status."""
        headers = {"Content-Type": "application/json", "X-Request-Id": REQUEST_ID.get()}
        roots = self._order()
        for i, root in enumerate(roots, 1):
            try:
                reply = await self.client.send(method, root + path, headers, body, timeout_s)
            except Unreachable:
                self.refused[root] = time.monotonic()
                if i == len(roots):
                    raise
                continue
            if reply.status >= 400:
                raise await _refusal(reply)
            return reply
        raise AssertionError("there is at least one address")

    def _order(self) -> list[str]:
        """In turn, those that refused lately last."""
        if len(self.roots) == 1:
            return self.roots
        self.turn = (self.turn + 1) % len(self.roots)
        turned = self.roots[self.turn :] + self.roots[: self.turn]
        now = time.monotonic()
        return sorted(turned, key=lambda root: now - self.refused[root] < SHUNNED_S)


async def _refusal(reply: Reply) -> ServiceError:
    try:
        body = await reply.json()
    except UpstreamFailed:  # not JSON: the status has to do
        body = None
    finally:
        reply.close()
    error = error_from_body(reply.status, body)
    wait = reply.header("retry-after") or ""
    if wait.isdigit():
        error.retry_after_s = float(wait)
    return error


def build_text(settings: Settings, transport: Transport | None) -> CustomText | None:
    """None when ML_TEXT_URL is not set: text is then not offered. `transport` is for SDKs; here aiohttp carries."""
    return CustomText(settings.ml_text_url, settings) if settings.ml_text_url else None
