"""Who shares a batch, who waits, who leaves, and whose failure it is."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ml_image.engine import Engine, Request
from shared.errors import OutOfMemory, Overloaded
from tests.unit.ml_image.conftest import finished, paint
from tests.unit.ml_image.test_families import difference


def wanted(seed: int = 1, steps: int = 2, **fields: Any) -> Request:
    return Request("a red cat", **{"size": (64, 64), "steps": steps, "seed": seed, **fields})


def watch(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, then: Callable[[list[Any]], None] = lambda jobs: None
) -> list[int]:
    """How many pictures shared each step from now on; `then` runs before it, in the batcher's thread."""
    (resident,) = engine.pool.residents
    painter, sizes, step = resident.painter, [], resident.painter.step

    def counted(jobs: list[Any]) -> Any:
        sizes.append(len(jobs))
        then(jobs)
        return step(jobs)

    monkeypatch.setattr(painter, "step", counted)
    return sizes


async def test_eight_requests_share_their_steps(tiny: Any, start: Any, monkeypatch: Any) -> None:
    engine = start(tiny())
    await engine.load("tiny")
    sizes = watch(engine, monkeypatch)
    await asyncio.gather(*(paint(engine, wanted(seed, 6 + seed % 2)) for seed in range(8)))
    assert max(sizes) == 8 and len(sizes) < 8 * 6 / 2


async def test_who_comes_later_joins(tiny: Any, start: Any, monkeypatch: Any) -> None:
    engine = start(tiny())
    (alone,) = await paint(engine, wanted(2, 4))
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    sizes = watch(engine, monkeypatch, lambda jobs: loop.call_soon_threadsafe(begun.set) and None)
    first = asyncio.create_task(paint(engine, wanted(1, 60)))
    await begun.wait()
    (joined,) = await paint(engine, wanted(2, 4))
    assert not first.done(), "the one that came later was not kept waiting"
    await first
    assert set(sizes) == {1, 2} and difference(alone, joined) <= 1


async def test_one_more_than_may_wait_is_refused(tiny: Any, start: Any, monkeypatch: Any) -> None:
    engine = start(tiny(), slots=1, queue_size=1)
    await engine.load("tiny")
    released = threading.Event()
    watch(engine, monkeypatch, lambda jobs: released.wait(30) and None)
    async with engine.open(wanted(1)) as first, engine.open(wanted(2)) as second:
        with pytest.raises(Overloaded) as error:
            async with engine.open(wanted(3)):
                pass
        released.set()
        assert error.value.retry_after_s
        assert await finished(first) and await finished(second)


async def test_whoever_leaves_takes_no_further_step(tiny: Any, start: Any, monkeypatch: Any) -> None:
    engine = start(tiny(), slots=1)
    await engine.load("tiny")
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    sizes = watch(engine, monkeypatch, lambda jobs: loop.call_soon_threadsafe(begun.set) and None)
    async with engine.open(wanted(1, 150)):
        await begun.wait()
    await paint(engine, wanted(2, 2))
    assert len(sizes) < 50
    (resident,) = engine.pool.residents
    assert (resident.batcher.running, resident.batcher.waiting) == (0, 0)


async def test_out_of_memory_costs_the_newest_picture_alone(tiny: Any, start: Any, monkeypatch: Any) -> None:
    engine = start(tiny())
    await engine.load("tiny")

    def starve(jobs: list[Any]) -> None:
        if len(jobs) > 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    watch(engine, monkeypatch, starve)
    results = await asyncio.gather(*(paint(engine, wanted(seed, 4)) for seed in range(3)), return_exceptions=True)
    assert [isinstance(result, OutOfMemory) for result in results].count(True) == 2
    assert await paint(engine, wanted(5))


async def test_a_picture_that_cannot_fit_is_refused_before_its_first_step(
    tiny: Any, start: Any, monkeypatch: Any
) -> None:
    from shared.training import memory

    engine = start(tiny())
    await engine.load("tiny")
    monkeypatch.setattr(memory, "available_bytes", lambda device: memory.RESERVE_BYTES + 2**23)
    with pytest.raises(OutOfMemory, match="1024x1024"):
        await paint(engine, wanted(size=(1024, 1024)))
    assert await paint(engine, wanted())


async def test_an_idle_model_leaves_memory_and_comes_back(tiny: Any, start: Any) -> None:
    engine = start(tiny(), idle_s=0.2)
    assert await paint(engine, wanted())
    async with asyncio.timeout(10):
        while engine.pool.residents:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await paint(engine, wanted())


async def test_previews_lie_before_the_end(tiny: Any, start: Any) -> None:
    engine = start(tiny())
    async with engine.open(wanted(1, 8, previews=3)) as answer:
        shown = [(one.preview, one.picture) async for one in answer]
    assert [number for number, _ in shown] == [0, 1, 2, None]
    far, near = (difference(shown[at][1], shown[-1][1]) for at in (0, 2))
    assert near < far, "they come closer"
