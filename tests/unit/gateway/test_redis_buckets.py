"""The same rules as in memory, counted by a real Redis for two gateways at once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.keys import Key
from gateway.limits import Limits
from gateway.redis_buckets import RedisBuckets
from shared.errors import NotReady, Overloaded
from tests.fakes.redis_server import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def replicas(redis: RedisServer) -> AsyncIterator[list[RedisBuckets]]:
    both = [RedisBuckets(redis.url), RedisBuckets(redis.url)]
    await both[0].redis.flushall()
    yield both
    for each in both:
        await each.close()


async def test_replicas_share_one_allowance(replicas: list[RedisBuckets]) -> None:
    key = Key("a", "a", {"requests": 10})
    gateways = [Limits(buckets, {}, max_in_flight=100) for buckets in replicas]
    asked = [gateways[i % 2].admit(key, []) for i in range(30)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    refused = [error for error in results if isinstance(error, Overloaded)]
    assert len(refused) == 20 and all(0 < (error.retry_after_s or 0) <= 6 for error in refused)


async def test_tokens_go_into_debt_and_a_bucket_refills(replicas: list[RedisBuckets]) -> None:
    one, two = replicas
    assert (await one.take("k", 0, 6000)).remaining == pytest.approx(6000, abs=1)
    await one.charge("k", 6010, 6000)
    level = await two.take("k", 0, 6000)
    assert level.remaining == 0 and 0.0 < level.wait_s <= 0.12  # 10 owed and 1 to have, at 100 a second
    await asyncio.sleep(level.wait_s + 0.02)
    assert (await one.take("k", 0, 6000)).wait_s == 0


async def test_a_full_bucket_is_forgotten(replicas: list[RedisBuckets]) -> None:
    await replicas[0].take("k", 1, 60)
    assert 0 < await replicas[0].redis.ttl("limits:k") <= 3


async def test_without_redis_nobody_is_let_through(tmp_path: Path) -> None:
    buckets = RedisBuckets("redis://127.0.0.1:1/0")
    with pytest.raises(NotReady) as away:
        await buckets.take("k", 1, 60)
    assert away.value.retry_after_s
    await buckets.close()
