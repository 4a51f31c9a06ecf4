"""Limits that hold over all replicas of the gateway: the buckets of `gateway.limits` in Redis, by its clock."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.limits import Level
from shared.errors import NotReady

TAKE_OR_CHARGE = """
local found = redis.call('HMGET', KEYS[1], 'level', 'at')
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local full, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local level = full
if found[1] then level = math.min(full, found[1] + (now - found[2]) * full / 60) end
local wait = 0
if ARGV[3] == 'take' and level < 1 then
    wait = (1 - level) * 60 / full
else
    level = level - amount
    redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(now))
    redis.call('EXPIRE', KEYS[1], math.ceil((full - level) * 60 / full) + 1)
end
return {tostring(level), tostring(wait)}
"""
"""One round trip, and nobody comes in between. A bucket that is full again is forgotten."""
PREFIX = "limits:"
ANSWER_S = 2.0


class RedisBuckets:
    """Raises NotReady while Redis cannot be reached: a limit that nobody counts is none."""

    def __init__(self, url: str) -> None:
        self.redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url, decode_responses=True, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )
        self.script: Any = self.redis.register_script(TAKE_OR_CHARGE)

    async def take(self, name: str, amount: int, per_minute: int) -> Level:
        level, wait_s = await self._run(name, amount, per_minute, "take")
        return Level(max(0.0, level), (per_minute - level) * 60 / per_minute, wait_s)

    async def charge(self, name: str, amount: int, per_minute: int) -> None:
        await self._run(name, amount, per_minute, "charge")

    async def close(self) -> None:
        await self.redis.aclose()

    async def _run(self, name: str, amount: int, per_minute: int, how: str) -> tuple[float, float]:
        try:
            level, wait_s = await self.script(keys=[PREFIX + name], args=[per_minute, amount, how])
        except (RedisError, OSError) as error:
            raise NotReady("the limits cannot be counted: Redis does not answer", retry_after_s=1.0) from error
        return float(level), float(wait_s)
