"""The suite as its users start it: `deploy/up.py` with gateway and text service, free ports, an empty data folder."""

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

import httpx2
import pytest

from shared import registry
from tests.e2e.tiny import build_tiny_llama

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
STARTER = ROOT / "ml_text" / "starter" / "model.safetensors"


@dataclass
class Suite:
    """A running `make up`."""

    process: subprocess.Popen[str]
    url: str
    text_url: str
    data_dir: Path
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(url: str) -> int:
    """The status of a GET; 0 when nobody answers."""
    try:
        return httpx2.get(url, timeout=5).status_code
    except httpx2.TransportError:
        return 0


def wait_until_ready(suite: Suite) -> None:
    """Until `make up` says so; both services then say the same."""
    deadline = time.monotonic() + START_S
    while "| ready after" not in suite.log:
        assert suite.process.poll() is None, suite.log
        assert time.monotonic() < deadline, suite.log
        time.sleep(0.1)
    assert status_of(f"{suite.url}/ready") == status_of(f"{suite.text_url}/ready") == 200


def start_suite(folder: Path, **environment: str) -> Suite:
    """Starts up.py on free ports, with `folder` for its data and its log; does not wait."""
    gateway_port, text_port = free_port(), free_port()
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(gateway_port),
        "ML_TEXT_PORT": str(text_port),
        "SERVICES": "text",
        "DATA_DIR": str(folder / "data"),
        **environment,
    }
    log_file = folder / "up.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "deploy/up.py"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    port, text_port = environment["GATEWAY_PORT"], environment["ML_TEXT_PORT"]
    return Suite(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{text_port}", folder / "data", log_file)


def stop_suite(suite: Suite, number: int = signal.SIGINT) -> int:
    """Its exit status."""
    if suite.process.poll() is None:
        suite.process.send_signal(number)
    try:
        return suite.process.wait(30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            suite.process.kill()


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """One suite for the whole session: the starter, and beside it `tiny`, a Llama with random weights."""
    folder = tmp_path_factory.mktemp("suite")
    build_tiny_llama(folder / "tiny")
    registry.publish(folder / "data", "tiny", folder / "tiny", {"service": "text"})
    running = start_suite(folder)
    try:
        wait_until_ready(running)
        yield running
    finally:
        stop_suite(running)
