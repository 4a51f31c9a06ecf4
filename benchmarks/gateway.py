"""What a proxied request costs: CPU of the gateway's process per request, beside LiteLLM's proxy in the same run.

    python -m benchmarks.gateway [--litellm-venv build/litellm-venv] [--requests 10000] [--memory]

Our gateway runs as in production (`python -m gateway.main`, one worker) with a key, limits, metrics, usage and the JSON
log on. A mock upstream in a process of its own answers at once. 32 connections; a stream has 20 chunks and a usage
event. CPU is user + system time from /proc, so that a busy machine does not distort the ratio. LiteLLM's environment is
made by:  python3 -m venv build/litellm-venv && build/litellm-venv/bin/pip install 'litellm[proxy]'
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks.machine import describe, table

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 32
CHUNKS = 20
WARM_UP = 500
GOALS_US = {"JSON": 600, "stream": 800}
GOAL_RATIO = 15
USAGE = {"prompt_tokens": 9, "completion_tokens": CHUNKS, "total_tokens": 9 + CHUNKS}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "starter", "system_fingerprint": None}


def answers() -> tuple[bytes, bytes]:
    """The mock's whole HTTP answers: JSON, and a stream of CHUNKS chunks, a finish, a usage event and [DONE]."""
    message = {"role": "assistant", "content": "word " * CHUNKS, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    whole = json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    plain = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(whole), whole)
    deltas = [({"content": "word "}, None)] * CHUNKS + [({}, "stop")]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in deltas
    ]
    chunks.append({"choices": [], "usage": USAGE})
    events = [json.dumps({**HEAD, "object": "chat.completion.chunk", **chunk}).encode() for chunk in chunks]
    pieces = [b"data: %s\n\n" % event for event in [*events, b"[DONE]"]]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return plain, b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + body


class Mock(asyncio.Protocol):
    """As little HTTP as it takes: one request at a time per connection, answers from memory."""

    plain, streamed = answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < content_length(head):
            return
        self.buffer = b""
        if head.startswith(b"GET"):
            listed = json.dumps({"object": "list", "data": [{"id": "starter", "object": "model"}]}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(listed), listed))
        elif b'"stream":true' in body.replace(b" ", b""):
            self.transport.write(self.streamed)
        else:
            self.transport.write(self.plain)


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def serve_mock(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", port)
    await server.serve_forever()


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it has the whole answer."""

    def __init__(self, request: bytes, todo: Iterator[int], done: asyncio.Future[None]) -> None:
        self.request, self.todo, self.done = request, todo, done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.buffer = b""
        if next(self.todo, None) is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self.buffer[:500].decode(errors="replace")))
            self.transport.close()
        elif b"chunked" in head:
            if body.endswith(b"0\r\n\r\n"):
                assert body.count(b'"content"') >= CHUNKS and b"[DONE]" in body, "an incomplete stream"
                self.ask()
        elif len(body) >= content_length(head):
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the proxy closed the connection: {exc}"))


async def load(port: int, request: bytes, count: int) -> float:
    """Send `count` requests over CONNECTIONS connections; the seconds it took."""
    loop, todo = asyncio.get_running_loop(), iter(range(count))
    futures: list[asyncio.Future[None]] = [loop.create_future() for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for future in futures:
        await loop.create_connection(lambda future=future: Client(request, todo, future), "127.0.0.1", port)
    await asyncio.gather(*futures)
    return time.perf_counter() - start


def request_bytes(key: str, stream: bool) -> bytes:
    body = {"model": "starter", "messages": [{"role": "user", "content": "Say twenty words. " * 4}], "max_tokens": 20}
    sent = json.dumps({**body, "stream": True} if stream else body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n".encode() + sent


def family(pid: int) -> list[int]:
    """`pid` and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_s(pid: int) -> float:
    """User + system time of the process and its children so far, seconds."""
    fields = [Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split() for each in family(pid)]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(pid: int, port: int, key: str, stream: bool, count: int) -> tuple[float, float]:
    """(CPU µs per request, requests per second)."""
    request = request_bytes(key, stream)
    uvloop.run(load(port, request, min(WARM_UP, count)))
    before = cpu_s(pid)
    took = uvloop.run(load(port, request, count))
    return (cpu_s(pid) - before) / count * 1e6, count / took


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list[str], env: dict[str, str], url: str, log: Path) -> Iterator[int]:
    """The process id of `command` once `url` answers."""
    with log.open("wb") as file, subprocess.Popen(command, cwd=ROOT, env=env, stdout=file, stderr=file) as process:
        try:
            wait_until_up(process, url, log)
            yield process.pid
        finally:
            process.terminate()


def wait_until_up(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            raise SystemExit(f"it did not start:\n{log.read_text()[-3000:]}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"no answer at {url}:\n{log.read_text()[-3000:]}")


@contextmanager
def our_gateway(upstream: int, folder: Path) -> Iterator[tuple[int, int, str]]:
    """(process id, port, key) of our gateway in front of the mock, with limits that are counted but never reached."""
    port = free_port()
    env = {**os.environ, "DATA_DIR": str(folder / "data"), "GATEWAY_PORT": str(port)}
    env |= {"ML_TEXT_URL": f"http://127.0.0.1:{upstream}", "MODEL_PROVIDER": "custom"}
    limits = ["--limit", "requests=1000000000", "tokens=1000000000"]
    create = [sys.executable, "-m", "gateway.keys", "create", "bench", *limits]
    shown = subprocess.run(create, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    key = shown.splitlines()[1]
    command = [sys.executable, "-m", "gateway.main"]
    with running(command, env, f"http://127.0.0.1:{port}/health", folder / "gateway.log") as pid:
        yield pid, port, key


@contextmanager
def litellm(upstream: int, folder: Path, venv: Path) -> Iterator[tuple[int, int, str]]:
    """The same for LiteLLM's proxy in its cheapest mode: no database, no key of its own needed, quiet."""
    port, config = free_port(), folder / "litellm.yaml"
    parameters = {"model": "openai/starter", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    config.write_text(json.dumps({"model_list": [{"model_name": "starter", "litellm_params": parameters}]}))
    env = {**os.environ, "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOG": "ERROR"}
    env |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    command = [str(venv / "bin" / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    command += ["--num_workers", "1", "--telemetry", "False"]
    with running(command, env, f"http://127.0.0.1:{port}/health/liveliness", folder / "litellm.log") as pid:
        yield pid, port, "none"


@contextmanager
def mock_upstream(folder: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.gateway", "--serve-mock", str(port)]
    with running(command, dict(os.environ), f"http://127.0.0.1:{port}/v1/models", folder / "mock.log"):
        yield port


def compare(upstream: int, folder: Path, count: int, venv: Path | None) -> None:
    rows: list[list[object]] = []
    with ExitStack() as stack:
        ours = stack.enter_context(our_gateway(upstream, folder))
        theirs = stack.enter_context(litellm(upstream, folder, venv)) if venv else None
        for kind in GOALS_US:
            own_us, own_rate = measure(*ours, kind == "stream", count)
            row: list[object] = [kind, own_us, f"≤ {GOALS_US[kind]}", own_rate]
            if theirs:
                their_us, _ = measure(*theirs, kind == "stream", max(CONNECTIONS, count // 20))
                row += [their_us, their_us / own_us, f"≥ {GOAL_RATIO}"]
            rows.append(row)
    headers = ["answer", "CPU µs/request", "goal", "requests/s"]
    print(table(headers + (["LiteLLM µs/request", "ratio", "goal"] if venv else []), rows))


def watch_memory(upstream: int, folder: Path) -> None:
    rows: list[tuple[int, float]] = []
    with our_gateway(upstream, folder) as (pid, port, key):
        done = 0
        for goal in (1_000, 10_000, 50_000, 100_000):
            for stream in (False, True):
                uvloop.run(load(port, request_bytes(key, stream), (goal - done) // 2))
            done = goal
            rows.append((done, resident_mb(pid)))
    print(table(["requests (half of them streams)", "resident MB"], rows))
    print(f"growth from 10,000 to 100,000: {rows[-1][1] - rows[1][1]:+.1f} MB (goal ≤ +5)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--litellm-venv", type=Path, help="also measure LiteLLM's proxy from this environment")
    parser.add_argument("--memory", action="store_true", help="resident memory over 100,000 requests")
    parser.add_argument("--serve-mock", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve_mock:
        uvloop.run(serve_mock(asked.serve_mock))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory() as name, mock_upstream(Path(name)) as upstream:
        if asked.memory:
            watch_memory(upstream, Path(name))
        else:
            compare(upstream, Path(name), asked.requests, asked.litellm_venv)


if __name__ == "__main__":
    main()
