"""What a killed worker, a killed redis-server, a cancel and a pause do to training jobs. Goals: nothing is lost.

python -m benchmarks.jobs [--times 20] [--rows sqlite redis redis-server] [--service text]

Each job trains a tiny model in the loop that all trainers share (benchmarks/ml_tiny), or with `--service text` by
`ml_text.train scratch`, whose imports take longer than all the rest. At a random moment the worker's whole process
group, or redis-server, gets SIGKILL and is started again half a second later, as `make up` does. An undisturbed job
beforehand says what must come out.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from safetensors import safe_open

from benchmarks.machine import describe, table
from shared import registry
from shared.errors import ServiceError
from shared.jobs import folder, rules
from shared.jobs.job import Job, JobStore, Note
from shared.jobs.redis_streams import RedisStore
from shared.jobs.sqlite import SqliteStore
from tests.fakes.redis_server import RedisServer

ROWS = ["sqlite", "redis", "redis-server"]
STEPS = 60
RESTART_S = 0.5
TAKE_OVER_S, CANCEL_S, LOSS = 10.0, 2.0, 1e-3
ARGS = {"max_steps": STEPS, "batch_size": 2, "save_steps": 3, "log_steps": 1, "seed": 7, "precision": "fp32"}
TRAINERS: dict[str, tuple[str, dict[str, Any]]] = {
    "tiny": ("tiny", {**ARGS, "learning_rate": 0.02, "warmup_steps": 5}),
    "text": ("scratch", {**ARGS, "preset": "tiny", "vocab_size": 300, "sequence_length": 32, "context_length": 32}),
}


@dataclass
class Bench:
    """A data folder with a store and one worker; a thread watches who runs."""

    root: Path
    redis: RedisServer | None
    service: str
    worker: subprocess.Popen[bytes] | None = None
    most_at_once: int = 0
    seen: dict[str, dict[int, float]] = field(default_factory=dict)
    """Job id -> process -> when it was first seen."""
    over: bool = False

    def __post_init__(self) -> None:
        self.data_dir = self.root / "data"
        self.data_dir.mkdir()
        rows = [{"text": f"number {i} of the quick brown fox is {i * i}"} for i in range(60)]
        self.upload = self.root / "rows.jsonl"
        self.upload.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.store: JobStore = RedisStore(self.redis.url) if self.redis else SqliteStore(self.data_dir / "jobs.db")
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def start_worker(self) -> None:
        here = Path(__file__).parent
        environment = {
            **os.environ,
            "PYTHONPATH": f"{here.parent}:{here}",
            "DATA_DIR": str(self.data_dir),
            "WORKER_GPUS": "false",
            "LOG_LEVEL": "ERROR",
        }
        if self.redis:
            environment["REDIS_URL"] = self.redis.url
        command = [sys.executable, "-m", "shared.jobs.worker", "--service", self.service]
        self.worker = subprocess.Popen(command, env=environment, start_new_session=True)

    def kill_worker(self) -> None:
        if self.worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()

    def kill_redis(self) -> None:
        assert self.redis is not None
        self.redis.kill()

    def close(self) -> None:
        self.over = True
        self.watcher.join()
        self.kill_worker()
        self.store.close()
        if self.redis:
            self.redis.kill()

    def add(self, number: int) -> str:
        id = f"ftjob-{self.service}-{number}"
        trainer, args = TRAINERS[self.service]
        spec = {"trainer": trainer, "args": args, "name": f"ft:tiny:bench:{number}", "files": ["training.jsonl"]}
        folder.create(self.data_dir, id, spec, {"training.jsonl": self.upload})
        self.store.add(Job(id, self.service, "local", spec), Note("created"))
        return id

    def watch(self) -> None:
        ours: dict[int, str] = {}
        while not self.over:
            for pid in psutil.pids():
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0") if pid not in ours else []
                    mine = [word for word in words if word.startswith(f"--output-dir={self.data_dir}")]
                    if mine:
                        ours[pid] = Path(mine[0].partition("=")[2]).name
                        self.seen.setdefault(ours[pid], {})[pid] = time.monotonic()
            alive = [ours[pid] for pid in ours if lives(pid)]
            self.most_at_once = max([self.most_at_once, *(alive.count(id) for id in set(alive))])
            time.sleep(0.2)

    def wait(self, what: Callable[[], Any], seconds: float = 300) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(ServiceError):  # while Redis is down
                if found := what():
                    return found
            if time.monotonic() > deadline:
                raise SystemExit("a job did not come to where it should")
            time.sleep(0.02)

    def ended(self, id: str) -> Job:
        self.wait(lambda: self.store.get(id).final)
        return self.store.get(id)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextlib.contextmanager
def bench(store: str, service: str) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        server = RedisServer(Path(name)) if store == "redis" else None
        if server:
            server.start()
        made = Bench(Path(name), server, service)
        try:
            made.start_worker()
            yield made
        finally:
            made.close()


def is_whole(data_dir: Path, name: str, steps: int) -> bool:
    """One version is published, of the run's last step, and every tensor of it can be read."""
    version = registry.resolve(data_dir, name)
    with safe_open(version.path / "model.safetensors", "pt") as weights:
        for key in weights.keys():  # noqa: SIM118  (it is no dict)
            weights.get_tensor(key)
    folders = [path for path in version.path.parent.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return version.card["metrics"]["step"] == steps and len(folders) == 1


def crash(place: Bench, times: int, kill: Callable[[], None], start: Callable[[], None]) -> list[object]:
    """`times` jobs, each with one kill; what they came to against the undisturbed one."""
    began = time.monotonic()
    undisturbed = place.ended(place.add(0))
    seconds = time.monotonic() - began
    assert undisturbed.result is not None, undisturbed.error
    expected = undisturbed.result["metrics"]
    chance = random.Random(0)
    good = same = whole = 0
    worst, waits = 0.0, []
    for number in range(1, times + 1):
        id = place.add(number)
        place.wait(lambda id=id: place.store.get(id).state == "running")
        time.sleep(chance.uniform(0, seconds))
        before = set(place.seen.get(id, {}))
        running = not place.store.get(id).final
        kill()
        killed = time.monotonic()
        time.sleep(RESTART_S)
        start()
        job = place.ended(id)
        good += job.state == "succeeded"
        found = (job.result or {}).get("metrics", {"step": 0, "loss": float("inf")})
        same += found["step"] == expected["step"]
        worst = max(worst, abs(found["loss"] - expected["loss"]))
        whole += is_whole(place.data_dir, f"ft:tiny:bench:{number}", expected["step"])
        after = [when for pid, when in place.seen[id].items() if pid not in before]
        if running and before and after:
            waits.append(min(after) - killed)
        print(f"{number}/{times}: {job.state}, {job.attempts} attempts, loss {found['loss']:.5f}", file=sys.stderr)
    if place.most_at_once > 1:
        print("a job ran twice at once", file=sys.stderr)
    take_over = f"{statistics.median(waits):.1f} / {max(waits):.1f}" if waits else "none needed"
    return [f"{good} of {times}", f"{same} of {times}", worst, place.most_at_once, f"{whole} of {times}", take_over]


def obey(place: Bench) -> list[object]:
    """Seconds until a cancelled job's process is gone; and where a paused job stood and went on."""
    gone: list[float] = []
    for number in (101, 102, 103):
        id = place.add(number)
        place.wait(lambda id=id: folder.events(folder.home(place.data_dir, id)))
        (pid,) = place.seen[id]
        asked = time.monotonic()
        place.store.apply(id, rules.cancel)
        place.wait(lambda pid=pid: not psutil.pid_exists(pid))
        gone.append(time.monotonic() - asked)
        assert place.ended(id).state == "cancelled"
    id = place.add(104)
    home = folder.home(place.data_dir, id)
    place.wait(lambda: folder.events(home))
    place.store.apply(id, rules.pause)
    place.wait(lambda: place.store.get(id).state == "paused")
    stood, lines = max(folder.checkpoints(home)), len(folder.events(home))
    place.store.apply(id, rules.resume)
    job = place.ended(id)
    steps = [event["step"] for event in folder.events(home)[lines:] if "loss" in event]
    return [max(gone), f"{stood} -> {steps[0]}", job.state]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS)
    parser.add_argument("--service", default="tiny", choices=TRAINERS)
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", HF_HUB_OFFLINE="1")
    crashes: list[list[object]] = []
    obeyed: list[list[object]] = []
    for row in args.rows:
        with bench("redis" if row == "redis-server" else row, args.service) as place:
            if row == "redis-server" and place.redis is not None:
                crashes.append(["redis", row, *crash(place, args.times, place.kill_redis, place.redis.start)])
            else:
                crashes.append([row, "worker", *crash(place, args.times, place.kill_worker, place.start_worker)])
                obeyed.append([row, *obey(place)])
    print(describe())
    heads = ["store", "killed", "succeeded", "same steps", "loss off by", "at once", "published whole"]
    print(table([*heads, "take-over s, median / longest"], crashes))
    if obeyed:
        print(table(["store", "cancel: process gone after s", "pause: stood at -> next step", "then"], obeyed))
    print(f"goals: loss within {LOSS:g}, one at once, take-over {TAKE_OVER_S:g} s, cancel {CANCEL_S:g} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
