"""What is in memory when: loaded once, on demand, out when idle or when room is needed, never while it is used."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.errors import InvalidRequest, OutOfMemory
from shared.residents import Residents, Room, Use
from shared.sources import Source


def source(name: str, version: int = 1) -> Source:
    return Source(name, Path(f"/models/{name}/{version}"), 0)


@dataclass
class Model:
    source: Source
    size_bytes: int = 10
    use: Use = field(default_factory=Use)
    closed: int = 0

    async def close(self) -> None:
        self.closed += 1
        await asyncio.sleep(0)


class Shelf:
    """Residents of 10 bytes, and what was loaded in which order; `free_bytes` is the machine's."""

    def __init__(self, budget_bytes: int = 0, free_bytes: int = 1000) -> None:
        self.free_bytes, self.loads, self.at_once, self.most = free_bytes, list[str](), 0, 0
        self.room = Room(lambda: self.free_bytes, budget_bytes)
        self.models = Residents[Model](self.room)

    async def load(self, source: Source) -> Model:
        self.loads.append(source.name)
        await self.models.forget_older(source)
        await self.models.make_room(10, source.name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return Model(source)

    async def use(self, name: str, version: int = 1) -> Model:
        async with self.models.lease(source(name, version), self.load) as model:
            return model

    @property
    def names(self) -> list[str]:
        return [model.source.name for model in self.models]


async def test_many_who_want_the_same_load_it_once() -> None:
    shelf = Shelf()
    models = await asyncio.gather(*(shelf.use("a") for _ in range(6)))
    assert shelf.loads == ["a"]
    assert len(set(map(id, models))) == 1 and models[0].use.leases == 0


async def test_models_that_share_a_room_are_loaded_one_after_another() -> None:
    shelf = Shelf()
    others = Residents[Model](shelf.room)
    await asyncio.gather(shelf.use("a"), shelf.use("b"), others.get(source("c"), shelf.load))
    assert sorted(shelf.loads) == ["a", "b", "c"] and shelf.most == 1


async def test_a_caller_who_leaves_does_not_stop_the_load_for_the_others() -> None:
    shelf = Shelf()
    first, second = asyncio.create_task(shelf.use("a")), asyncio.create_task(shelf.use("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).source.name == "a"


async def test_a_load_that_fails_fails_for_all_who_wait_and_is_tried_again() -> None:
    shelf = Shelf()

    async def broken(source: Source) -> Model:
        await asyncio.sleep(0)
        raise InvalidRequest("no weights")

    failed = await asyncio.gather(*(shelf.models.get(source("a"), broken) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [InvalidRequest] * 3
    assert (await shelf.use("a")).source.name == "a"


async def test_the_least_recently_used_leaves_for_the_next() -> None:
    shelf = Shelf(budget_bytes=20)
    for name in ("a", "b", "a", "c"):
        await shelf.use(name)
    assert shelf.names == ["a", "c"]


async def test_what_is_used_never_leaves() -> None:
    shelf = Shelf(budget_bytes=10)
    async with shelf.models.lease(source("a"), shelf.load) as model:
        await shelf.models.sweep(-1)
        with pytest.raises(OutOfMemory, match="b needs 0 MB and 0 MB are free"):
            await shelf.use("b")
        assert shelf.names == ["a"] and not model.closed
    await shelf.use("b")
    assert shelf.names == ["b"] and model.closed == 1


async def test_without_a_budget_the_machine_is_the_limit() -> None:
    shelf = Shelf(free_bytes=10)
    await shelf.use("a")
    shelf.free_bytes = 9
    with pytest.raises(OutOfMemory):
        await shelf.use("b")
    assert shelf.names == [], "it was tried whether that would be enough"


async def test_something_smaller_is_let_go_before_a_whole_model() -> None:
    shelf = Shelf(free_bytes=10)
    await shelf.use("a")
    shelf.free_bytes, small = 0, [4, 6]

    async def let_go() -> bool:
        if not small:
            return False
        shelf.free_bytes += small.pop()
        return True

    await shelf.models.make_room(10, "b", let_go)
    assert shelf.names == ["a"] and not small


async def test_idle_ones_leave_and_older_versions_too() -> None:
    shelf = Shelf()
    old = await shelf.use("a", version=1)
    new = await shelf.use("a", version=2)
    assert (old.closed, list(shelf.models)) == (1, [new])
    await shelf.models.sweep(60)
    assert list(shelf.models) == [new]
    await shelf.models.sweep(-1)
    assert list(shelf.models) == [] and new.closed == 1


async def test_two_who_unload_at_once_close_each_once() -> None:
    shelf = Shelf()
    models = [await shelf.use(name) for name in ("a", "b", "c")]
    await asyncio.gather(shelf.models.sweep(-1), shelf.models.close(), shelf.models.sweep(-1))
    assert [model.closed for model in models] == [1, 1, 1]
