"""The suite on free ports with a data folder of its own: what the demo and the benchmarks run against."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
READY_S = 180.0


@dataclass(frozen=True)
class Suite:
    url: str
    log: Path

    def client(self, timeout_s: float = 300.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout_s)


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[Suite]:
    """`make up` with DATA_DIR in `folder`, from ready until the block ends. RuntimeError with its log if it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("GATEWAY_PORT", "ML_TEXT_PORT", "ML_IMAGE_PORT")
    ports = {name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
    log = folder / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "deploy/up.py"],
            cwd=ROOT,
            env={**os.environ, **ports, "DATA_DIR": str(folder / "data"), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        suite = Suite(f"http://127.0.0.1:{ports['GATEWAY_PORT']}", log)
        _wait(suite, process)
        yield suite
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait(suite: Suite, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{suite.url}/ready", timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the suite is not ready:\n{suite.log.read_text()[-4000:]}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
