import asyncio

import pytest

from gateway.adapters import addresses
from gateway.adapters.addresses import Addresses

dead: set[str] = set()


async def alive(root: str) -> bool:
    return root not in dead


@pytest.fixture
async def three(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(addresses, "CHECK_S", 0.01)
    dead.clear()
    found = Addresses(["http://a", "http://me:secret@b:1", "http://c"], alive)
    yield found
    await found.close()


async def test_equals_are_asked_in_turn_and_the_busy_last(three: Addresses) -> None:
    assert {three.order()[0].root for _ in range(3)} == {"http://a", "http://me:secret@b:1", "http://c"}
    three.all[0].running = three.all[1].running = 2
    assert {three.order()[0].root for _ in range(3)} == {"http://c"}


async def test_the_dead_are_found_and_come_back(three: Addresses, caplog: pytest.LogCaptureFixture) -> None:
    three.order()
    dead.add("http://me:secret@b:1")
    await asyncio.sleep(0.1)
    assert {three.order()[0].root for _ in range(6)} == {"http://a", "http://c"}
    assert three.order()[-1].root.endswith("b:1"), "still the last resort"
    dead.clear()
    await asyncio.sleep(0.1)
    assert len({three.order()[0].root for _ in range(6)}) == 3
    assert caplog.messages == ["b:1 is down", "b:1 is back"]
