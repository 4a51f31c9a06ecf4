"""The suite in containers on a real engine, as `docker compose up` starts it; `make compose-test` runs these tests."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "content-suite-test"
WHEELS = "content-suite/wheels"
HEALTHY_S = 90.0


@dataclass
class Stack:
    """A running compose project. `figures` are printed at the end."""

    docker: Any
    environment: dict[str, str]
    figures: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['GATEWAY_PORT']}"

    @property
    def key(self) -> str:
        return self.environment["GATEWAY_API_KEY"]

    def client(self, **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=self.key, **options)

    def compose(self, *arguments: str) -> str:
        command = ["docker", "compose", "-p", PROJECT, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, text=True, capture_output=True, timeout=1800)
        if done.returncode:
            logs = subprocess.run(
                [*command[:4], "logs", "--tail", "20"], cwd=ROOT, env=self.environment, text=True, capture_output=True
            )
            pytest.fail(f"{' '.join(command)}:\n{done.stderr[-3000:]}\n{logs.stdout[-5000:]}")
        return done.stdout

    def container(self, service: str) -> Any:
        labels = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}"]
        (found,) = self.docker.containers.list(all=True, filters={"label": labels})
        return found

    def kill(self, service: str) -> None:
        """SIGKILL to its first process, as the kernel or a crash would: the engine then restarts it."""
        os.kill(self.container(service).attrs["State"]["Pid"], signal.SIGKILL)

    def state(self, service: str) -> tuple[int, str]:
        """(process id, health): a container without a health check is healthy while it runs."""
        state = self.container(service).attrs["State"]
        health = state["Health"]["Status"] if "Health" in state else "healthy" if state["Running"] else "stopped"
        return state["Pid"], health

    def wait_healthy(self, service: str, not_pid: int = 0) -> float:
        """Seconds until `service` is healthy in another process than `not_pid`."""
        began = time.monotonic()
        while time.monotonic() - began < HEALTHY_S:
            pid, health = self.state(service)
            if pid != not_pid and health == "healthy":
                return time.monotonic() - began
            time.sleep(0.2)
        pytest.fail(f"{service} is not healthy again:\n{self.container(service).logs(tail=40).decode()}")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def build_wheels(docker: Any, folder: Path) -> None:
    """An image of the torch that pip would take here, so that the containers hold the build that was tested."""
    pin = next(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch=="))
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), pin]
    subprocess.run(command, check=True, timeout=1800)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY *.whl /\n")
    docker.images.build(path=str(folder), tag=WHEELS)


@pytest.fixture(scope="session")
def engine() -> Any:
    if not os.environ.get("COMPOSE_TEST"):
        pytest.skip("builds images and starts containers: run it with `make compose-test`")
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    asked = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=60)
    if asked.returncode:
        pytest.skip(f"no Docker engine answers: {asked.stderr.strip()}")
    import docker

    return docker.from_env()


@pytest.fixture(scope="session")
def stack(engine: Any) -> Iterator[Stack]:
    build_wheels(engine, ROOT / "build" / "wheels")
    environment = {
        **os.environ,
        "WHEELS_IMAGE": WHEELS,
        "GATEWAY_API_KEY": secrets.token_hex(24),
        "GATEWAY_PORT": str(free_port()),
        "CORS_ORIGINS": "https://front.example",
        "ML_TEXT_MEMORY": "2g",
    }
    running = Stack(engine, environment)
    running.compose("build")
    own_redis_volume(engine)
    try:
        began = time.monotonic()
        running.compose("up", "-d", "--build", "--wait")
        running.figures.append(("up from warm layers", f"{time.monotonic() - began:.0f} s"))
        yield running
    finally:
        print("\n" + "\n".join(f"{name:<46} {value}" for name, value in running.figures))
        with contextlib.suppress(AssertionError):
            running.compose("down", "--volumes", "--timeout", "5")


def own_redis_volume(docker: Any) -> None:
    """The official image gives /data to its user redis; one that was put together offline may leave it to root.

    A volume with nothing in it would take the image's owner again at its next mount.
    """
    image = os.environ.get("REDIS_IMAGE", "redis:7-alpine")
    volume = {f"{PROJECT}_redis": {"bind": "/data", "mode": "rw"}}
    own = ["sh", "-c", "chown redis /data && touch /data/.owned"]
    docker.containers.run(image, own, user="root", volumes=volume, entrypoint="", remove=True)
