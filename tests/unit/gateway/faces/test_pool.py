"""The pool with real processes: what one job costs, and that it costs nobody else. SIGSTOP makes a job that hangs."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway.faces.pool import Bounds, Pool
from shared.errors import (
    InvalidRequest,
    OutOfMemory,
    Overloaded,
    ServiceError,
    TooLarge,
    UpstreamFailed,
    UpstreamTimeout,
)

TOLD: dict[str, Any] = {"index": None, "param": "image", "base64": False}
ROOT = Path(__file__).resolve().parents[4]


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), 200).save(out, "PNG")
    return out.getvalue()


def status(pid: int, name: str) -> int:
    """A line of /proc/PID/status, in kB where it is a size."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


def state(pid: int) -> str:
    """R, S, T …; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


async def refuse(pool: Pool) -> None:
    """A whole job that is quick: bytes that are no picture."""
    with pytest.raises(InvalidRequest) as refused:
        await pool.run("cut", TOLD, b"no picture")
    assert refused.value.param == "image"


async def stopped(pool: Pool) -> int:
    """Leaves one child, which does not come back to its next job."""
    await refuse(pool)
    pid = pool.idle[0].process.pid
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.fixture
def bounds() -> Bounds:
    return Bounds(workers=1, waiting=1)


@pytest.fixture
async def pool(bounds: Bounds) -> AsyncIterator[Pool]:
    pool = Pool(bounds)
    yield pool
    await pool.close()


async def test_a_child_is_started_when_needed_and_kept(pool: Pool) -> None:
    assert not pool.idle
    await refuse(pool)
    pid = pool.idle[0].process.pid
    await refuse(pool)
    assert [child.process.pid for child in pool.idle] == [pid]
    await pool.close()
    assert state(pid) == ""


@pytest.mark.parametrize("bounds", [Bounds(workers=1, idle_s=0.1)])
async def test_an_idle_child_is_ended(pool: Pool) -> None:
    await refuse(pool)
    pid = pool.idle[0].process.pid
    await until(lambda: state(pid) == "")
    await refuse(pool)


async def test_a_child_has_little(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a secret of the gateway")
    await refuse(pool)
    process = Path(f"/proc/{pool.idle[0].process.pid}")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (process / "limits").read_text().splitlines()}
    assert (limits["Max file size"], limits["Max core file size"]) == ("0", "0")
    assert limits["Max address space"] == str(pool.bounds.memory_bytes)
    assert b"secret" not in (process / "environ").read_bytes()
    assert (process / "stat").read_text().rsplit(")", 1)[1].split()[16] == "15"  # nice
    assert status(pool.idle[0].process.pid, "Threads") == 1


async def test_a_killed_child_costs_its_request_alone(pool: Pool) -> None:
    pid = await stopped(pool)
    lost = asyncio.create_task(pool.run("cut", TOLD, b"x"))
    waits = asyncio.create_task(refuse(pool))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UpstreamFailed) as error:
        await lost
    assert error.value.code == "face_worker_died"
    await waits
    assert pool.idle[0].process.pid != pid and pool.inside == 0


async def test_a_child_killed_between_jobs_costs_nothing(pool: Pool) -> None:
    await refuse(pool)
    pid = pool.idle[0].process.pid
    os.kill(pid, signal.SIGKILL)
    await pool.idle[0].process.wait()
    await refuse(pool)


@pytest.mark.parametrize("bounds", [Bounds(workers=1, timeout_s=0.5)])
async def test_a_job_that_hangs_is_ended(pool: Pool) -> None:
    pid = await stopped(pool)
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout) as error:
        await pool.run("cut", TOLD, b"x")
    assert (error.value.code, error.value.status) == ("face_timeout", 504) and time.monotonic() - began < 5
    await until(lambda: state(pid) == "")
    assert not pool.idle


async def test_the_queue_is_bounded_and_leaving_it_makes_room(pool: Pool) -> None:
    pid = await stopped(pool)
    running = asyncio.create_task(pool.run("cut", TOLD, b"x"))
    waiting = asyncio.create_task(pool.run("cut", TOLD, b"x"))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as full:
        await pool.run("cut", TOLD, b"x")
    assert full.value.retry_after_s
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    pool.check_room()
    assert state(pid) == "T"  # the one who left was not the one it works for
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await until(lambda: state(pid) == "")
    await refuse(pool)


async def test_a_picture_that_claims_to_be_huge_costs_nothing(pool: Pool) -> None:
    small = png(64, 64)
    huge = small[:16] + (40_000).to_bytes(4, "big") * 2 + small[24:]
    await refuse(pool)
    pid = pool.idle[0].process.pid
    before = status(pid, "VmHWM")
    with pytest.raises((TooLarge, InvalidRequest)):
        await pool.run("cut", TOLD, huge)
    assert status(pid, "VmHWM") - before < 20_000


@pytest.mark.parametrize("bounds", [Bounds(workers=1, memory_bytes=460 << 20)])
async def test_a_picture_that_is_huge_is_refused_within_bounds(pool: Pool) -> None:
    """39 million pixels in 40 kB."""
    await refuse(pool)
    pid = pool.idle[0].process.pid
    with pytest.raises(OutOfMemory) as error:
        await pool.run("cut", TOLD, png(6500, 6000))
    assert not error.value.should_retry and status(pid, "VmPeak") <= 460 << 10
    await refuse(pool)
    assert pool.idle[0].process.pid == pid


async def test_a_bug_is_logged_without_the_picture(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ServiceError) as error:
        await pool.run("cut", {"base64": False}, b"pixels of somebody")  # not what `cut` is to be told
    assert error.value.status == 500 and "KeyError" in caplog.text and "somebody" not in caplog.text + str(error.value)


def test_the_gateway_does_not_load_opencv() -> None:
    look = "import gateway.main, sys; print('cv2' in sys.modules)"
    seen = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "False"


def test_children_end_with_a_gateway_that_is_killed() -> None:
    held = """
import asyncio, os
from gateway.faces.pool import Pool
async def main():
    pool = Pool()
    try:
        await pool.run("cut", {"index": None, "param": "image", "base64": False}, b"x")
    except Exception:
        print(pool.idle[0].process.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    seen = subprocess.run([sys.executable, "-c", held], cwd=ROOT, capture_output=True, text=True)
    assert seen.returncode == -signal.SIGKILL, seen.stderr
    deadline = time.monotonic() + 20
    while state(int(seen.stdout)) not in ("", "Z"):  # a zombie where no init collects it
        assert time.monotonic() < deadline, "the child outlives the gateway"
        time.sleep(0.05)
