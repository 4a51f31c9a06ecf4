"""The one place that builds HTTP clients.

`HttpClient` carries what is only forwarded. It is aiohttp without httpx on top: building a request, sending it and
reading the answer through httpx costs 0.2 to 0.3 ms of CPU, more than all the rest of the gateway.
"""

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import urljoin

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from shared.errors import InvalidRequest, ServiceError, TooLarge, UpstreamFailed, UpstreamTimeout

IDLE_S = 4.0
"""Below the 5 s after which uvicorn closes an idle connection, so that we never send into one that is being closed."""
CONNECT_S = 5.0
"""Whoever has not taken a connection by then is down."""
MOST_HOPS = 4
"""How many addresses `fetch_public` asks until one does not redirect."""
BAD_URL = "invalid_image_url"
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Transport = httpx.AsyncBaseTransport


class Unreachable(UpstreamFailed):
    """No connection: the request was not sent, so another address may have it."""


class Reply:
    """An answer whose status and headers are here; close it, however far it was read."""

    __slots__ = ("_response", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str | None:
        return self._response.headers.get(name)

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamTimeout or UpstreamFailed."""
        try:
            return await self._response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _translated(error) from error

    async def json(self) -> Any:
        """The whole body as JSON. Raises UpstreamFailed also when it is none."""
        try:
            return json.loads(await self.read())
        except ValueError as error:
            raise UpstreamFailed("the upstream's answer is not JSON") from error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises UpstreamTimeout or UpstreamFailed."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Give the connection back; if the answer is not complete, hang up."""
        self._response.close()


class HttpClient:
    """One pool of connections. `timeout_s` bounds each silence, not the whole answer."""

    def __init__(self, *, timeout_s: float, max_connections: int) -> None:
        self.timeout = self._timeout(timeout_s)
        self.max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None  # made in the loop that uses it

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """The reply, once its headers are here. Raises Unreachable, UpstreamTimeout or UpstreamFailed."""
        session = self._session or self._open()
        timeout = self.timeout if timeout_s is None else self._timeout(timeout_s)
        try:
            return Reply(
                await session.request(method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False)
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _translated(error) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self.max_connections, keepalive_timeout=IDLE_S)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )
        return self._session

    def _timeout(self, silence_s: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silence_s)


def _translated(error: Exception) -> UpstreamFailed:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable("the upstream cannot be reached")
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("the upstream did not answer in time")
    return UpstreamFailed("the upstream broke off")


def build_httpx_client(
    *, timeout_s: float, max_connections: int, transport: Transport | None = None
) -> httpx.AsyncClient:
    """For SDKs that want httpx; aiohttp carries it unless a test brings its own `transport`. Proxies as in the env."""
    limits = httpx.Limits(max_connections=max_connections, keepalive_expiry=IDLE_S)
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
        transport=transport or AiohttpTransport(limits=limits),
    )


def timed_out(error: BaseException | None) -> bool:
    """Whether httpx's `error` is a timeout: httpx-aiohttp calls lost connections ConnectTimeout too."""
    if not isinstance(error, httpx.TimeoutException):
        return False
    cause = error.__cause__
    return isinstance(cause, aiohttp.ServerTimeoutError) or not isinstance(cause, aiohttp.ClientConnectionError)


def is_public(address: str) -> bool:
    """Whether an IP address, or the IPv4 one inside it, belongs to the internet: nothing of this machine or network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


class Refused(OSError):
    """An address that may not be connected to."""


async def fetch_public(
    url: str, param: str, *, most_bytes: int, within_s: float, allowed: Callable[[str], bool] = is_public
) -> bytes:
    """What is at a caller's http(s) address; it and all that it redirects to must be `allowed`.

    Raises InvalidRequest or TooLarge on `param`: whatever is wrong, another address is what helps.
    """
    try:
        async with asyncio.timeout(within_s), _session(allowed) as session:
            for _ in range(MOST_HOPS):
                if not url.lower().startswith(("http://", "https://")):
                    raise ValueError("not an http(s) URL")
                async with session.get(url, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308) and "location" in response.headers:
                        url = urljoin(url, response.headers["location"])
                        continue
                    return await _read_bounded(response, most_bytes, param)
    except ServiceError:
        raise
    except TimeoutError as error:
        raise InvalidRequest(f"the address did not answer within {within_s:g} s", param=param, code=BAD_URL) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = "it is not public" if _refused(error) else "nothing can be read there"
        raise InvalidRequest(f"the address cannot be used: {why}", param=param, code=BAD_URL) from error
    raise InvalidRequest(f"the address redirects more than {MOST_HOPS - 1} times", param=param, code=BAD_URL)


def _session(allowed: Callable[[str], bool]) -> aiohttp.ClientSession:
    """Each connection is looked at when it is made, by the number that a name or a clever spelling of one came to.

    Nothing of one request is left for the next: neither cookies nor connections.
    """

    def connect(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allowed(address[0]):
            raise Refused("it is not public")
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=connect, use_dns_cache=False, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding",),
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S),
    )


async def _read_bounded(response: aiohttp.ClientResponse, most_bytes: int, param: str) -> bytes:
    if response.status != 200:
        raise InvalidRequest(f"the address answers with status {response.status}", param=param, code=BAD_URL)
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > most_bytes:
            raise TooLarge(f"there are more than {most_bytes} bytes at the address", param=param, code="file_too_large")
    return bytes(data)


def _refused(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, Refused) or _refused(error.__cause__))
