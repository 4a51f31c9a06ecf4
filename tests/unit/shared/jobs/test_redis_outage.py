"""redis-server is killed while jobs wait and run, and comes back: nothing is lost, nothing is done twice."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from shared.errors import NotReady
from tests.fakes.redis_server import redis_server
from tests.unit.shared.jobs.test_worker import Place, gone, lives, overlaps, steps


def test_a_killed_redis_comes_back_with_every_job(tmp_path: Path):
    with redis_server(tmp_path) as server:
        place = Place(tmp_path, server.url)
        try:
            homes = [place.add(f"ftjob-fake-{i}", steps=40) for i in (1, 2)]
            place.worker()
            place.until(lambda: steps(homes[0]) >= 5)
            server.kill()
            with pytest.raises(NotReady):
                place.store.get("ftjob-fake-1")
            before = steps(homes[0])
            place.until(lambda: steps(homes[0]) >= before + 5)  # the child does not mind
            server.start()
            ended = [place.ends(f"ftjob-fake-{i}") for i in (1, 2)]
            assert [(job.state, job.attempts) for job in ended] == [("succeeded", 1), ("succeeded", 1)]
            assert not any(overlaps(home) for home in homes) and gone(lives(homes[0])[0][0])
        finally:
            for worker in place.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
            place.store.close()
