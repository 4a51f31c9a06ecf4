"""Addresses that a caller names: only the internet is asked, in bounds of size and time."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import InvalidRequest, TooLarge
from shared.http import fetch_public, is_public
from tests.contract.upstream import serving


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("not an address", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) == public


async def page(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    status, headers, body = 200, [], b"picture"
    if path == "/loop":
        status, headers = 302, [(b"location", b"/loop")]
    elif path == "/once":
        status, headers = 302, [(b"location", b"/here")]
    elif path == "/away":
        status, headers = 302, [(b"location", b"ftp://x/")]
    elif path == "/none":
        status = 404
    elif path == "/large":
        body = b"x" * 5000
    elif path == "/slow":
        await asyncio.sleep(3)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving(page) as url:
        yield url


def anybody(address: str) -> bool:
    return True


async def fetched(url: str, allowed: Any = anybody) -> bytes:
    return await fetch_public(url, "image_url", most_bytes=1000, within_s=1.0, allowed=allowed)


async def test_what_is_there_is_read(site: str) -> None:
    assert await fetched(f"{site}/here") == b"picture"
    assert await fetched(f"{site}/once") == b"picture"


@pytest.mark.parametrize("path", ["/loop", "/away", "/none", "/slow"])
async def test_what_cannot_be_read_is_refused(site: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await fetched(site + path)
    assert (refused.value.param, refused.value.code) == ("image_url", "invalid_image_url")


async def test_what_is_too_large_is_not_kept(site: str) -> None:
    with pytest.raises(TooLarge):
        await fetched(f"{site}/large")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "x@127.0.0.1",
    ],
)
async def test_this_machine_is_not_asked_however_it_is_spelt(site: str, host: str) -> None:
    with pytest.raises(InvalidRequest):
        await fetched(f"http://{host}:{site.rsplit(':', 1)[1]}/here", is_public)


async def test_a_redirect_into_the_network_is_refused(site: str) -> None:
    """The first connection is let through, the second is not."""
    asked: list[str] = []

    def first_only(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    with pytest.raises(InvalidRequest, match="not public"):
        await fetched(f"{site}/once", first_only)
    assert len(asked) == 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "http://", "http://[", "gopher://x", "", "//x", "x"])
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        await fetched(url)
