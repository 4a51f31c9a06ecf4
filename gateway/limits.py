"""How much each key may use per minute, and how much the process takes on at once.

A bucket holds a minute's allowance and refills steadily. Requests are taken before; tokens and images are checked
before and charged after, when the answer says how many there were: a bucket may so go below zero and then takes longer
to refill.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from gateway.keys import Key
from shared.errors import Overloaded

Headers = list[tuple[bytes, bytes]]
RESOURCES = ("requests", "tokens")
"""What every request needs; images are looked at by those that make some."""


@dataclass(frozen=True, slots=True)
class Level:
    remaining: float
    reset_s: float
    """Until the bucket is full again."""
    wait_s: float
    """Until one more is allowed; 0 when it was."""


class Buckets(Protocol):
    """Where the counting happens: in this process, or in Redis, where all replicas see it."""

    async def take(self, name: str, amount: int, per_minute: int) -> Level:
        """Take `amount` if at least 1 is left; else nothing, and `wait_s` says how long until then."""
        ...

    async def charge(self, name: str, amount: int, per_minute: int) -> None:
        """Take `amount`, whatever is left."""
        ...

    async def close(self) -> None: ...


class MemoryBuckets:
    """One process's buckets; one entry per key and resource."""

    def __init__(self) -> None:
        self.levels: dict[str, tuple[float, float]] = {}  # name -> (level, when)

    async def take(self, name: str, amount: int, per_minute: int) -> Level:
        level, now = self._level(name, per_minute)
        wait_s = 0.0 if level >= 1 else (1 - level) * 60 / per_minute
        if not wait_s:
            level -= amount
            self.levels[name] = level, now
        return Level(max(0.0, level), (per_minute - level) * 60 / per_minute, wait_s)

    async def charge(self, name: str, amount: int, per_minute: int) -> None:
        level, now = self._level(name, per_minute)
        self.levels[name] = level - amount, now

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _level(self, name: str, per_minute: int) -> tuple[float, float]:
        now = time.monotonic()
        level, then = self.levels.get(name, (per_minute, now))
        return min(per_minute, level + (now - then) * per_minute / 60), now


class Room:
    """For `most` at once of what holds much memory."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.inside = 0

    @contextmanager
    def one(self) -> Generator[None]:
        """Raises Overloaded when it is full."""
        if self.inside >= self.most:
            raise Overloaded(f"{self.inside} requests with pictures are being answered", retry_after_s=2.0)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def open_buckets(redis_url: str | None) -> Buckets:
    if redis_url is None:
        return MemoryBuckets()
    from gateway.redis_buckets import RedisBuckets

    return RedisBuckets(redis_url)


class Limits:
    """`defaults` hold for keys without limits of their own; None or missing is unlimited."""

    def __init__(self, buckets: Buckets, defaults: Mapping[str, int | None], max_in_flight: int) -> None:
        self.buckets = buckets
        self.defaults = defaults
        self.max_in_flight = max_in_flight
        self.in_flight = 0

    def enter(self) -> None:
        """Count a request in; Overloaded when the process has enough. Pair it with `leave`."""
        if self.in_flight >= self.max_in_flight:
            raise Overloaded(f"{self.in_flight} requests are running, no more at once", retry_after_s=1.0)
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1

    async def admit(self, key: Key, headers: Headers) -> None:
        """Take one request, check for tokens; OpenAI's x-ratelimit headers go into `headers`. Raises Overloaded."""
        for resource in RESOURCES:
            await self.check(key, resource, headers, amount=int(resource == "requests"))

    async def check(self, key: Key, resource: str, headers: Headers, amount: int = 0) -> None:
        """Take `amount` if anything is left. Raises Overloaded."""
        limit = self._limit(key, resource)
        if limit is None:
            return
        level = await self.buckets.take(f"{key.id}:{resource}", amount, limit)
        headers += _headers(resource, limit, level)
        if level.wait_s:
            raise Overloaded(
                f"rate limit reached: {limit} {resource} per minute",
                code="rate_limit_exceeded",
                retry_after_s=level.wait_s,
            )

    async def charge(self, key: Key, tokens: int, **more: int) -> None:
        """What an answer turned out to need."""
        for resource, amount in {"tokens": tokens, **more}.items():
            limit = self._limit(key, resource)
            if limit is not None and amount:
                await self.buckets.charge(f"{key.id}:{resource}", amount, limit)

    def _limit(self, key: Key, resource: str) -> int | None:
        return key.limits.get(resource) or self.defaults.get(resource)


def _headers(resource: str, limit: int, level: Level) -> Headers:
    name = resource.encode()
    return [
        (b"x-ratelimit-limit-" + name, b"%d" % limit),
        (b"x-ratelimit-remaining-" + name, b"%d" % level.remaining),
        (b"x-ratelimit-reset-" + name, b"%.3fs" % level.reset_s),
    ]
