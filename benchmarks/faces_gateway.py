"""What a face costs beyond the picture, and what others feel of it. Goals: 4 s at 1024 px on one core, p99 up by 20 %.

    python -m benchmarks.faces_gateway [--photo FILE] [--rounds 3]

The gateway runs as in production (`python -m gateway.main`), its upstream is a mock that answers at once. Compositions
are timed one after the other (wall and the child's own CPU), then a chat and GET /v1/models are asked at a steady rate
for a while, by turns without and with 8 compositions at once, so that what else runs disturbs both alike.
Without --photo the astronaut of scikit-image is the person.
"""

import argparse
import asyncio
import io
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import skimage.data
from PIL import Image

from benchmarks.gateway import cpu_s, family, mock_upstream, our_gateway, resident_mb
from benchmarks.machine import describe, table
from shared.scenes import render, sample

SIDE = 1024
AT_ONCE = 8
GOAL_S = 4.0
GOAL_RATIO = 1.2
PAUSE_S = 0.01
"""Between two requests of the watcher; both kinds by turns."""
BUSY = 5.0
"""Percent of a core from which another process is named."""
CHAT = {"model": "starter", "messages": [{"role": "user", "content": "Say twenty words."}]}
Times = dict[str, list[float]]


def photo_bytes(path: Path | None) -> bytes:
    if path is not None:
        return path.read_bytes()
    out = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(
        out, "JPEG", quality=95
    )
    return out.getvalue()


def scene_bytes() -> bytes:
    out = io.BytesIO()
    render(sample(random.Random(3)), SIDE, SIDE).image.save(out, "PNG")
    return out.getvalue()


async def compose(client: httpx.AsyncClient, face_id: str, scene: bytes) -> float:
    """Seconds of one composition."""
    began = time.perf_counter()
    answer = await client.post("/v1/faces/compose", data={"face_id": face_id}, files={"image": ("scene.png", scene)})
    answer.raise_for_status()
    return time.perf_counter() - began


def burst(url: str, headers: dict[str, str], face_id: str, scene: bytes) -> list[float]:
    """Seconds of each of AT_ONCE compositions."""

    async def all_at_once() -> list[float]:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=300) as client:
            return await asyncio.gather(*(compose(client, face_id, scene) for _ in range(AT_ONCE)))

    return asyncio.run(all_at_once())


async def watch(client: httpx.AsyncClient, until: asyncio.Event, times: Times) -> None:
    """Ask by turns, note the milliseconds, until told to stop."""
    while not until.is_set():
        for name, ask in (
            ("GET /v1/models", client.get("/v1/models")),
            ("chat", client.post("/v1/chat/completions", json=CHAT)),
        ):
            began = time.perf_counter()
            (await ask).raise_for_status()
            times[name].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_S)


async def disturb(url: str, key: str, face_id: str, scene: bytes, rounds: int) -> tuple[Times, Times, list[float]]:
    """Milliseconds of the others' answers without and with compositions, and the seconds of those."""
    quiet, loud = Times(), Times()
    for times in (quiet, loud):
        times.update({"GET /v1/models": [], "chat": []})
    took: list[float] = []
    headers, loop = {"authorization": f"Bearer {key}"}, asyncio.get_running_loop()
    apart = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))  # the watcher must not wait for it
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=300) as client:
        await loop.run_in_executor(apart, os.getpid)
        for _ in range(rounds):
            done, began = asyncio.Event(), time.perf_counter()
            watcher = asyncio.create_task(watch(client, done, loud))
            took += await loop.run_in_executor(apart, burst, url, headers, face_id, scene)
            lasted = time.perf_counter() - began
            done.set()
            await watcher
            done = asyncio.Event()
            watcher = asyncio.create_task(watch(client, done, quiet))
            await asyncio.sleep(lasted)
            done.set()
            await watcher
    apart.shutdown()
    return quiet, loud, took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def others(gateway: int) -> Iterator[None]:
    """Prints what else used the processor meanwhile: background load is a part of every figure."""
    before, began = usage(), time.monotonic()
    yield
    lasted = time.monotonic() - began
    ticks = os.sysconf("SC_CLK_TCK")
    busy = [
        (100 * (used - before.get(pid, (used, ""))[0]) / ticks / lasted, name)
        for pid, (used, name) in usage().items()
        if pid not in {*family(gateway), os.getpid()}
    ]
    named = ", ".join(f"{name} {share:.0f} %" for share, name in sorted(busy, reverse=True) if share > BUSY)
    print(f"beside it ran: {named or 'nothing'}")


def usage() -> dict[int, tuple[int, str]]:
    """pid -> (clock ticks so far, name)."""
    found: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = path.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:  # it has ended
            continue
        used = fields.split()
        found[int(path.parent.name)] = (int(used[11]) + int(used[12]), name)
    return found


def alone(pid: int, url: str, key: str, photo: bytes, scene: bytes, rounds: int) -> str:
    """Prints what one upload and one composition take; the face's id."""
    rows: list[list[object]] = []
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=300) as client:
        before = resident_mb(pid)
        began = time.perf_counter()
        answer = client.post("/v1/faces", files={"image": ("photo.jpg", photo)}).raise_for_status()
        rows.append(["first upload, with the child's start", time.perf_counter() - began, "", ""])
        face_id = answer.json()["id"]
        for name, files, path in (
            ("upload a photo", {"image": ("photo.jpg", photo)}, "/v1/faces"),
            ("compose", {"image": ("scene.png", scene)}, "/v1/faces/compose"),
        ):
            walls, cpus = list[float](), list[float]()
            for _ in range(rounds):
                used, began = cpu_s(pid), time.perf_counter()
                client.post(path, files=files, data={"face_id": face_id}).raise_for_status()
                walls.append(time.perf_counter() - began)
                cpus.append(cpu_s(pid) - used)
            goal = f"≤ {GOAL_S:g}" if name == "compose" else ""
            rows.append([name, statistics.median(walls), statistics.median(cpus), goal])
        print(table([f"{SIDE} px, one at a time", "wall s", "CPU s", "goal"], rows))
        children = sum(resident_mb(child) for child in family(pid) if child != pid)
        print(f"resident before the first face {before:.0f} MB; its child holds {children:.0f} MB until it is idle")
    return face_id


def show(quiet: Times, loud: Times, took: list[float]) -> None:
    rows: list[list[object]] = []
    for name in quiet:
        for share in (0.5, 0.99):
            before, during = percentile(quiet[name], share), percentile(loud[name], share)
            goal = f"≤ {GOAL_RATIO}" if share == 0.99 else ""
            counted = f"{len(quiet[name])} / {len(loud[name])}"
            rows.append([f"{name} p{100 * share:.0f}", before, during, during / before, goal, counted])
    print(table(["answer", "without ms", "with ms", "ratio", "goal", "requests"], rows))
    print(f"{AT_ONCE} compositions at once: median {statistics.median(took):.1f} s, last {max(took):.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(describe(), flush=True)
    photo, scene = photo_bytes(asked.photo), scene_bytes()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pid, port, key = stack.enter_context(our_gateway(stack.enter_context(mock_upstream(folder)), folder))
        url = f"http://127.0.0.1:{port}"
        with others(pid):
            face_id = alone(pid, url, key, photo, scene, asked.rounds)
        with others(pid):
            quiet, loud, took = asyncio.run(disturb(url, key, face_id, scene, asked.rounds))
    show(quiet, loud, took)


if __name__ == "__main__":
    main()
