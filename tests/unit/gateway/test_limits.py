import pytest

from gateway.keys import Key
from gateway.limits import Limits, MemoryBuckets
from shared.errors import Overloaded


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gateway.limits.time.monotonic", clock)
    return clock


def limits(**defaults: int | None) -> Limits:
    return Limits(MemoryBuckets(), defaults, max_in_flight=2)


async def test_requests_are_taken_and_refill_steadily(clock: Clock) -> None:
    bound, key = limits(), Key("a", "a", {"requests": 6})
    for left in range(5, -1, -1):
        headers: list[tuple[bytes, bytes]] = []
        await bound.admit(key, headers)
        assert dict(headers)[b"x-ratelimit-remaining-requests"] == b"%d" % left
    with pytest.raises(Overloaded) as refused:
        await bound.admit(key, [])
    assert refused.value.code == "rate_limit_exceeded" and refused.value.retry_after_s == pytest.approx(10)
    clock.now += 9.9
    with pytest.raises(Overloaded):
        await bound.admit(key, [])
    clock.now += 0.2
    await bound.admit(key, [])


async def test_refused_requests_cost_nothing(clock: Clock) -> None:
    bound, key = limits(), Key("a", "a", {"requests": 1})
    await bound.admit(key, [])
    for _ in range(50):
        with pytest.raises(Overloaded):
            await bound.admit(key, [])
    clock.now += 60
    await bound.admit(key, [])


async def test_tokens_go_into_debt_and_are_paid_off(clock: Clock) -> None:
    bound, key = limits(), Key("a", "a", {"tokens": 60})
    await bound.admit(key, [])
    await bound.charge(key, 100)
    with pytest.raises(Overloaded) as refused:
        await bound.admit(key, [])
    assert refused.value.retry_after_s == pytest.approx(41)  # 40 owed, 1 to have, 1 per second
    clock.now += 42
    await bound.admit(key, [])


async def test_keys_have_their_own_buckets_and_limits_of_their_own_win(clock: Clock) -> None:
    bound = limits(requests=1)
    rich = Key("rich", "rich", {"requests": 3})
    for _ in range(3):
        await bound.admit(rich, [])
    await bound.admit(Key("poor", "poor"), [])
    with pytest.raises(Overloaded):
        await bound.admit(Key("poor", "poor"), [])


async def test_without_limits_nothing_is_counted() -> None:
    bound, headers = limits(), list[tuple[bytes, bytes]]()
    for _ in range(100):
        await bound.admit(Key("a", "a"), headers)
    await bound.charge(Key("a", "a"), 10**9)
    assert headers == []


def test_no_more_at_once_than_allowed() -> None:
    bound = limits()
    bound.enter()
    bound.enter()
    with pytest.raises(Overloaded) as refused:
        bound.enter()
    assert refused.value.code == "overloaded" and refused.value.retry_after_s
    bound.leave()
    bound.enter()
