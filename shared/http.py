"""The one place that builds an HTTP client."""

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

Transport = httpx.AsyncBaseTransport
IDLE_S = 4.0
"""Below the 5 s after which uvicorn closes an idle connection, so that we never send into one that is being closed."""


def build_client(
    *,
    timeout_s: float,
    connect_timeout_s: float = 5.0,
    max_connections: int = 1024,
    trust_env: bool = False,
    transport: Transport | None = None,
) -> httpx.AsyncClient:
    """A client with one connection pool; `timeout_s` bounds each silence, not the whole answer.

    aiohttp carries it unless a test brings its own `transport`: httpx's pool costs 2 ms CPU at 32 connections.
    """
    limits = httpx.Limits(
        max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=IDLE_S
    )
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
        transport=transport or AiohttpTransport(limits=limits, trust_env=trust_env),
        trust_env=trust_env,
    )


def timed_out(error: BaseException | None) -> bool:
    """Whether `error` is really a timeout: httpx-aiohttp reports a refused or lost connection as ConnectTimeout too."""
    if not isinstance(error, httpx.TimeoutException):
        return False
    cause = error.__cause__
    return isinstance(cause, aiohttp.ServerTimeoutError) or not isinstance(cause, aiohttp.ClientConnectionError)


def never_sent(error: BaseException) -> bool:
    """Whether the request did not leave, so that another address may have it."""
    return isinstance(error, httpx.ConnectError) or isinstance(error.__cause__, aiohttp.ClientConnectorError)
