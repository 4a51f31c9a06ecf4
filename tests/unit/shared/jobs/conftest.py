"""Both stores, each empty."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.jobs.job import Job, JobStore
from shared.jobs.sqlite import SqliteStore

LEASE_S = 0.3
Open = Callable[[], JobStore]


@pytest.fixture(params=["sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again, as several processes do."""
    opened: list[JobStore] = []

    def open_one() -> JobStore:
        opened.append(SqliteStore(tmp_path / "jobs.db", LEASE_S))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> JobStore:
    return open_store()


def job(id: str = "ftjob-text-1", **fields) -> Job:
    return Job(id, **{"queue": "text", "owner": "local", "spec": {"n": 1}, **fields})
