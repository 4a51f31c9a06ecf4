"""Both stores, each empty."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.jobs.job import Job, JobStore
from shared.jobs.redis_streams import RedisStore
from shared.jobs.sqlite import SqliteStore
from tests.fakes.redis_server import RedisServer, redis_server

LEASE_S = 0.3
Open = Callable[[], JobStore]


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again, as several processes do."""
    url = request.getfixturevalue("redis").url if request.param == "redis" else None
    if url:
        with Redis.from_url(url) as client:
            client.flushall()
    opened: list[JobStore] = []

    def open_one() -> JobStore:
        opened.append(RedisStore(url, LEASE_S) if url else SqliteStore(tmp_path / "jobs.db", LEASE_S))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> JobStore:
    return open_store()


def job(id: str = "ftjob-text-1", **fields) -> Job:
    return Job(id, **{"queue": "text", "owner": "local", "spec": {"n": 1}, **fields})
