"""An in-house service, or any engine that speaks OpenAI's wire: bytes go through as they are."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import quote

import orjson

from gateway.adapters.addresses import Address, Addresses
from gateway.settings import Settings
from shared.errors import AWAY, ServiceError, UpstreamFailed, UpstreamTimeout, error_from_body
from shared.http import HttpClient, Reply, Unreachable
from shared.logs import REQUEST_ID

PROBE_TIMEOUT_S = 5.0
LOAD_TIMEOUT_S = 600.0
MOST_FAILURES = 2
"""A request that makes services fail must not go round all of them. Those that cannot be reached do not count."""


JSON = "application/json"


class Answering:
    """A reply, and the address that is busy with it until it is closed."""

    __slots__ = ("address", "reply")

    def __init__(self, reply: Reply, address: Address) -> None:
        self.reply = reply
        self.address = address

    def close(self) -> None:
        self.reply.close()
        self.address.running -= 1


class Service:
    """What lives at one of `urls`; when one is down or overloaded before it answers, the next one is asked."""

    def __init__(self, urls: tuple[str, ...], settings: Settings) -> None:
        roots = dict.fromkeys(url.rstrip("/").removesuffix("/v1") for url in urls)
        self.addresses = Addresses(roots, self._is_alive)
        self.client = HttpClient(
            timeout_s=settings.upstream_timeout_s,
            max_connections=settings.max_in_flight,
        )

    async def post(self, path: str, body: bytes, content_type: str = JSON) -> bytes:
        """The whole answer. Raises ServiceErrors, as everything here."""
        answering = await self._send("POST", path, body, content_type=content_type)
        try:
            return await answering.reply.read()
        finally:
            answering.close()

    async def pieces(self, path: str, body: bytes, content_type: str = JSON) -> AsyncGenerator[bytes, None]:
        """The answer as it comes."""
        answering = await self._send("POST", path, body, content_type=content_type)
        try:
            async with aclosing(answering.reply.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            answering.close()

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

    async def save(self, name: str, new: str) -> dict[str, Any]:
        return await self._json("POST", f"/v1/models/{quote(name, safe='')}/save", LOAD_TIMEOUT_S, {"name": new})

    async def check_ready(self) -> None:
        (await self._send("GET", "/ready", timeout_s=PROBE_TIMEOUT_S)).close()

    async def close(self) -> None:
        await self.addresses.close()
        await self.client.close()

    async def _json(self, method: str, path: str, timeout_s: float, body: object = None) -> dict[str, Any]:
        sent = None if body is None else orjson.dumps(body)
        answering = await self._send(method, path, sent, timeout_s)
        try:
            found = await answering.reply.json()
        finally:
            answering.close()
        if not isinstance(found, dict):
            raise UpstreamFailed("the upstream's answer is not a JSON object")
        return cast(dict[str, Any], found)

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        timeout_s: float | None = None,
        content_type: str = JSON,
    ) -> Answering:
        """A reply of good status; raises what the service says, with its status. Close what it returns."""
        failed: list[ServiceError] = []
        lost: list[Unreachable] = []
        for address in self.addresses.order():
            try:
                return await self._ask(address, method, path, body, timeout_s, content_type)
            except Unreachable as error:
                self.addresses.lose(address)
                lost.append(error)
            except AWAY as error:  # a timeout too, but nobody would wait as long again
                failed.append(error)
                if isinstance(error, UpstreamTimeout) or len(failed) == MOST_FAILURES:
                    break
        raise (failed or lost)[0]

    async def _ask(
        self, address: Address, method: str, path: str, body: bytes | None, timeout_s: float | None, content_type: str
    ) -> Answering:
        headers = {"Content-Type": content_type, "X-Request-Id": REQUEST_ID.get()}
        address.running += 1
        try:
            reply = await self.client.send(method, address.root + path, headers, body, timeout_s)
            if reply.status >= 400:
                raise await _refusal(reply)
        except BaseException:
            address.running -= 1
            raise
        return Answering(reply, address)

    async def _is_alive(self, root: str) -> bool:
        """Whether anybody answers; an engine without /health says 404."""
        try:
            reply = await self.client.send("GET", f"{root}/health", timeout_s=PROBE_TIMEOUT_S)
        except UpstreamFailed:
            return False
        reply.close()
        return reply.status < 500


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
    if reply.header("x-should-retry") == "false":
        error.should_retry = False
    return error
