"""The worker as a process: it runs jobs, and whatever is killed or stopped, each ends once and none runs twice."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from shared.jobs import folder, rules
from shared.jobs.job import Job, JobStore, Note
from shared.jobs.redis_streams import RedisStore
from shared.jobs.sqlite import SqliteStore
from tests.fakes.redis_server import redis_server

ROOT = Path(__file__).resolve().parents[4]
LEASE_S = 1.0


class Place:
    """A data folder, its store, and workers of the service `fake`."""

    def __init__(self, root: Path, redis_url: str | None) -> None:
        self.data_dir = root / "data"
        self.data_dir.mkdir()
        package = root / "modules" / "ml_fake"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "train.py").symlink_to(Path(__file__).with_name("fake_trainer.py"))
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{package.parent}",
            "DATA_DIR": str(self.data_dir),
            "WORKER_LEASE_S": str(LEASE_S),
            "WORKER_GPUS": "false",
        }
        if redis_url:
            self.environment["REDIS_URL"] = redis_url
        self.store: JobStore = (
            RedisStore(redis_url, LEASE_S) if redis_url else SqliteStore(self.data_dir / "jobs.db", LEASE_S)
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "shared.jobs.worker", "--service", "fake"]
        self.workers.append(subprocess.Popen(command, cwd=ROOT, env=self.environment, start_new_session=True))
        return self.workers[-1]

    def add(self, id: str = "ftjob-fake-1", **args: object) -> Path:
        spec = {"trainer": "x", "args": args, "name": "m", "files": ["training.jsonl"]}
        source = self.data_dir / "upload"
        source.write_text("{}\n")
        made = folder.create(self.data_dir, id, spec, {"training.jsonl": source})
        self.store.add(Job(id, "fake", "local", spec), Note("created"))
        return made

    def until(self, what: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, [self.store.notes(path.name) for path in self.data_dir.glob("jobs/f*")]
            time.sleep(0.02)

    def ends(self, id: str = "ftjob-fake-1", seconds: float = 30) -> Job:
        self.until(lambda: self.store.get(id).final, seconds)
        return self.store.get(id)


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(redis_server(tmp_path)).url if request.param == "redis" else None
        made = Place(tmp_path, url)
        try:
            yield made
        finally:
            for worker in made.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
            made.store.close()


def lives(home: Path) -> list[tuple[int, int, float]]:
    """(process, step, time) of every step that any child took."""
    try:
        lines = (home / "lives").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [(int(pid), int(step), float(when)) for pid, step, when in (line.split() for line in lines)]


def steps(home: Path) -> int:
    return max((step for _, step, _ in lives(home)), default=-1)


def overlaps(home: Path) -> bool:
    """Whether one process took a step after another had begun."""
    order = [pid for pid, _, _ in lives(home)]
    return len([i for i in range(len(order)) if i == 0 or order[i] != order[i - 1]]) != len(set(order))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_jobs_run_in_order_and_say_what_they_made(place: Place):
    homes = [place.add(f"ftjob-fake-{i}", steps=6, step_s=0.02) for i in (1, 2)]
    place.worker()
    ended = [place.ends(f"ftjob-fake-{i}") for i in (1, 2)]
    assert [job.state for job in ended] == ["succeeded", "succeeded"]
    assert ended[0].result == {"model": "m", "metrics": {"step": 6, "tokens": 42}}
    assert lives(homes[0])[-1][2] <= lives(homes[1])[0][2], "one at a time"
    assert [event["step"] for event in folder.events(homes[0])] == [1, 2, 3, 4, 5, 6]


def test_a_killed_workers_job_is_taken_over_where_it_stood(place: Place):
    home = place.add(steps=40)
    first = place.worker()
    place.worker()
    place.until(lambda: steps(home) >= 12)
    holder = int(place.store.get("ftjob-fake-1").worker.split(":")[1])
    os.killpg(holder, signal.SIGKILL)
    killed = time.time()
    place.until(lambda: gone(lives(home)[0][0]), 1)
    ended = place.ends()
    assert (ended.state, ended.attempts) == ("succeeded", 2) and first is not None
    second = [life for life in lives(home) if life[0] != lives(home)[0][0]]
    assert second[0][1] >= 10 and second[0][1] % 5 == 0, "from its last checkpoint"
    assert second[0][2] - killed < 10
    assert not overlaps(home)


def test_a_worker_that_was_only_stopped_finds_its_job_taken(place: Place):
    home = place.add(steps=60)
    stopped = place.worker()
    place.until(lambda: steps(home) >= 6)
    os.kill(stopped.pid, signal.SIGSTOP)  # its child runs on
    place.worker()
    place.until(lambda: place.store.get("ftjob-fake-1").attempts == 2 and steps(home) >= 6)
    place.until(lambda: len({pid for pid, _, _ in lives(home)}) == 2)
    os.kill(stopped.pid, signal.SIGCONT)
    assert place.ends().state == "succeeded"
    assert not overlaps(home)
    assert stopped.poll() is None, "it lives on and takes other jobs"


def test_cancel_ends_the_child_within_two_seconds_and_keeps_checkpoints(place: Place):
    for id, mode in (("ftjob-fake-1", "deaf"), ("ftjob-fake-2", "obedient")):
        home = place.add(id, steps=1000, mode=mode)
        place.worker()
        place.until(lambda home=home: steps(home) >= 6)
        asked = time.monotonic()
        place.store.apply(id, rules.cancel)
        child = lives(home)[0][0]
        place.until(lambda child=child: gone(child), 3)
        assert time.monotonic() - asked < 2
        assert place.ends(id).state == "cancelled" and folder.checkpoints(home)


def test_a_paused_job_goes_on_at_the_step_where_it_stood(place: Place):
    home = place.add(steps=40)
    place.worker()
    place.until(lambda: steps(home) >= 7)
    place.store.apply("ftjob-fake-1", rules.pause)
    place.until(lambda: place.store.get("ftjob-fake-1").state == "paused")
    stood = max(folder.checkpoints(home))
    assert stood == steps(home)
    place.store.apply("ftjob-fake-1", rules.resume)
    assert place.ends().state == "succeeded"
    taken = [step for _, step, _ in lives(home)]
    assert taken == [*range(stood + 1), *range(stood, 41)], "no step twice, none left out"


def test_what_fails_is_tried_three_times_and_its_last_words_are_kept(place: Place):
    place.add(mode="boom")
    place.worker()
    ended = place.ends()
    assert (ended.state, ended.attempts) == ("failed", 3)
    assert ended.error is not None and ended.error["code"] == "training_failed"
    assert ended.error["message"].endswith("RuntimeError: boom: the last words")


def test_bad_data_is_not_tried_again(place: Place):
    place.add(mode="bad input")
    place.worker()
    ended = place.ends()
    assert (ended.state, ended.attempts) == ("failed", 1)
    expected = {"code": "invalid_training_job", "message": "--dataset: training.jsonl, row 3: no prompt"}
    assert ended.error == expected | {"param": "training_file"}


def test_a_worker_that_is_told_to_stop_lets_its_child_save(place: Place):
    home = place.add(steps=1000)
    worker = place.worker()
    place.until(lambda: steps(home) >= 7)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    job = place.store.get("ftjob-fake-1")
    assert (job.state, job.failures) == ("queued", 0)
    assert max(folder.checkpoints(home)) == steps(home) and gone(lives(home)[0][0])


def test_what_ended_just_before_its_worker_died_is_not_run_again(place: Place):
    home = place.add()
    (home / "result.json").write_text('{"model": "m", "metrics": {}}')
    place.worker()
    assert place.ends().state == "succeeded" and lives(home) == []
