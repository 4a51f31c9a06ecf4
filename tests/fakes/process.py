"""Starts the fake of OpenAI as a process of its own, and waits until it listens."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SERVER = Path(__file__).with_name("openai_server.py")
START_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def openai_server(*arguments: str) -> Iterator[str]:
    """Its address without `/v1`; `arguments` as on its command line."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(SERVER), "--port", str(port), *arguments])
    try:
        deadline = time.monotonic() + START_S
        while not _listens(port):
            assert process.poll() is None, "the fake did not start"
            assert time.monotonic() < deadline, "the fake does not listen"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
