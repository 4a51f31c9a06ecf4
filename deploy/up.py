"""`make up`: starts gateway, services and the workers of their jobs, restarts what dies, stops all on Ctrl-C.

Each service leads a process group of its own, so stopping it leaves no grandchild; and the kernel kills it when this
process dies (PR_SET_PDEATHSIG), even by SIGKILL.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 10.0
SETTLED_S = 1.0
STEADY_S = 60.0  # a service that lived this long restarts without a pause
LONGEST_PAUSE_S = 30.0
PR_SET_PDEATHSIG = 1
PORTS = {"text": 8001, "image": 8002, "audio": 8004}
"""modality -> where its service listens; a new one is one row."""
BRIEF = {"prompt": "Coffee place called Blue Door, 20% off", "platform": "instagram", "format": "square"}

LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork
SUPERVISOR = os.getpid()


class StartFailed(Exception):
    """A service cannot come up; the message says why, for the person at the terminal."""


@dataclass
class Service:
    name: str
    module: str
    host: str
    port: int
    """0: it listens nowhere, and counts as ready when it has lived for SETTLED_S."""
    arguments: tuple[str, ...] = ()
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


def say(text: str, name: str = "up") -> None:
    print(f"{name:<12} | {text}", flush=True)


def read_port(settings: Mapping[str, str], name: str, default: int) -> int:
    text = settings.get(name, str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartFailed(f"{name}={text} is not a port number")
    return int(text)


def is_started(settings: Mapping[str, str], name: str) -> bool:
    """Whether the service is to run here: somebody asks it, it is not elsewhere, and there is a model for it."""
    wanted = settings.get("SERVICES")
    if wanted is not None and name not in [part.strip() for part in wanted.split(",")]:
        return False
    upper = name.upper()
    elsewhere = settings.get(f"ML_{upper}_URL") or (name == "text" and settings.get("ML_SERVICE_URL"))
    provider = settings.get(f"MODEL_PROVIDER_{upper}") or settings.get("MODEL_PROVIDER") or "custom"
    asked = {provider, *map(settings.get, ("MODEL_FALLBACK", "MODEL_SHADOW"))}
    if elsewhere or "custom" not in {(who or "").strip().lower() for who in asked}:
        return False
    return bool(settings.get(f"ML_{upper}_MODEL")) or (ROOT / f"ml_{name}" / "starter").is_dir()


def plan(settings: Mapping[str, str]) -> tuple[list[Service], dict[str, str]]:
    """Which services to start here, and the environment that they get beside the caller's own."""
    host = settings.get("GATEWAY_HOST", "127.0.0.1")
    gateway = Service("gateway", "gateway.main", host, read_port(settings, "GATEWAY_PORT", 8000))
    services, extra = list[Service](), {"GATEWAY_PORT": str(gateway.port)}
    for name, usual in PORTS.items():
        if not is_started(settings, name):
            continue
        variable = f"ML_{name.upper()}_PORT"
        service = Service(name, f"ml_{name}.serve", "127.0.0.1", read_port(settings, variable, usual))
        worker = Service(f"{name} worker", "shared.jobs.worker", "127.0.0.1", 0, ("--service", name))
        services += [service, worker]
        extra |= {variable: str(service.port), f"ML_{name.upper()}_URL": service.url}
    # Two processes with spinning OpenMP threads on shared cores collapse; one core is left to the gateway.
    extra["OMP_NUM_THREADS"] = settings.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 2) - 1))
    extra["OMP_WAIT_POLICY"] = settings.get("OMP_WAIT_POLICY") or "PASSIVE"
    return [*services, gateway], extra | {"PYTHONUNBUFFERED": "1"}


def check_ports(services: list[Service]) -> None:
    """StartFailed when somebody already listens where a service should."""
    for service in services:
        if not service.port:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((service.host, service.port))
            except OSError as error:
                variable = "GATEWAY_PORT" if service.name == "gateway" else f"ML_{service.name.upper()}_PORT"
                raise StartFailed(
                    f"port {service.port} for the {service.name} service cannot be used ({error.strerror}). "
                    f"Stop what listens there, or choose another: {variable}={service.port + 100} make up"
                ) from error


async def get(service: Service, path: str) -> int:
    """The status of one GET, 0 while nobody answers."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(service.host, service.port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {service.host}\r\nConnection: close\r\n\r\n".encode())
                return int((await reader.readline()).split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0


def die_with_supervisor() -> None:
    """Runs in the child between fork and exec."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != SUPERVISOR:  # it died before the line above
        os._exit(1)


async def start(
    service: Service, environment: dict[str, str]
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
    """The process and its log. The pipe is ours: asyncio's own would let `wait` hang while a grandchild holds it."""
    ours, theirs = os.pipe()
    log = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(log), os.fdopen(ours, "rb", buffering=0)
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", service.module, *service.arguments),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the others in order
            preexec_fn=die_with_supervisor,
        )
    finally:
        os.close(theirs)
    return process, log


async def forward(log: asyncio.StreamReader, name: str) -> None:
    while True:
        try:
            line = await log.readline()
        except ValueError:  # a line above the limit; the reader has dropped it
            continue
        if not line:
            return
        say(line.decode(errors="replace").rstrip(), name)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ends the whole process group: asked first, then killed, so that no grandchild is left either."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def wait_ready(service: Service) -> None:
    if not service.port:
        await asyncio.sleep(SETTLED_S)
    while service.port and await get(service, "/ready") != 200:  # noqa: ASYNC110  (another process: nothing here could set an event)
        await asyncio.sleep(0.1)
    service.ready.set()
    say(f"the {service.name} service is ready")


async def keep(service: Service, environment: dict[str, str]) -> None:
    """Runs `service` for ever: StartFailed if it ends before it was ever ready, else a restart with a growing pause."""
    pause_s = 0.5
    while True:
        born = time.monotonic()
        process, log = await start(service, environment)
        forwarding = asyncio.create_task(forward(log, service.name))
        ready = asyncio.create_task(wait_ready(service))
        try:
            status = await process.wait()
        finally:
            ready.cancel()
            await stop(process)
            await asyncio.wait({forwarding}, timeout=1)  # its last lines; it ends when nobody is left who could write
            forwarding.cancel()
        if not service.ready.is_set():
            raise StartFailed(f"the {service.name} service ended with status {status}; its last lines say why")
        if time.monotonic() - born > STEADY_S:
            pause_s = 0.5
        say(f"the {service.name} service ended with status {status}; starting it again in {pause_s:g} s")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def announce(services: list[Service]) -> None:
    """Says what is being waited for, then the addresses and a line to try."""
    began = time.monotonic()
    said = began
    while waiting := [service.name for service in services if not service.ready.is_set()]:
        await asyncio.sleep(0.1)
        now = time.monotonic()
        if now - began > READY_TIMEOUT_S:
            raise StartFailed(f"not ready after {READY_TIMEOUT_S:g} s: {', '.join(waiting)}")
        if now - said > 3:
            said = now
            say(f"waiting for {' and '.join(waiting)} … {now - began:.0f} s")
    gateway = services[-1]
    say(f"ready after {time.monotonic() - began:.1f} s")
    for service in services:
        if service.port:
            say(f"{service.name:<8} {service.url}")
    say(f"{'docs':<8} {gateway.url}/docs")
    key = ' -H "Authorization: Bearer $GATEWAY_API_KEY"' if await get(gateway, "/v1/models") == 401 else ""
    say("try it (Ctrl-C here stops everything):")
    print(f"\ncurl -s {gateway.url}/api/v1/designs{key} -H 'Content-Type: application/json' -d '{json.dumps(BRIEF)}'\n")
    sys.stdout.flush()


async def run() -> int:
    settings = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value} | dict(os.environ)
    services, extra = plan(settings)
    check_ports(services)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    say("starting " + " and ".join(service.name for service in services))
    tasks = [asyncio.create_task(keep(service, settings | extra)) for service in services]
    tasks.append(asyncio.create_task(announce(services)))
    until = asyncio.create_task(stopped.wait())
    try:
        pending = {until, *tasks}
        while not until.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {until}:
                task.result()
    finally:
        say("stopping")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        say("stopped")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(run()))
    except StartFailed as error:
        say(str(error))
        sys.exit(1)
