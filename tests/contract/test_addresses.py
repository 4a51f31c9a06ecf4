"""ML_TEXT_URL=a,b: services that die, come back, or have too much to do, behind one adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import addresses
from gateway.adapters.custom import CustomText
from gateway.settings import Settings
from gateway.text import Call
from shared.errors import InvalidRequest, Overloaded, UpstreamFailed, UpstreamTimeout
from tests.contract.upstream import Script, service, serving


def call(said: str = "hello", **more: Any) -> Call:
    return Call("chat/completions", {"model": "starter", "messages": [{"role": "user", "content": said}], **more})


class Pair:
    """Two services and the adapter before them."""

    def __init__(self, stack: ExitStack, data_dir: Path) -> None:
        self.one, self.two = Script("custom"), Script("custom")
        self.first = ExitStack()
        url = self.first.enter_context(serving(service(self.one)))
        self.port = int(url.rpartition(":")[2])
        urls = (url, stack.enter_context(serving(service(self.two))))
        self.text = CustomText(urls, Settings(data_dir=data_dir, upstream_timeout_s=1.0))


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(addresses, "CHECK_S", 0.05)
    with ExitStack() as stack:
        made = Pair(stack, tmp_path)
        stack.callback(lambda: made.first.close())
        yield made
        await made.text.close()


async def test_one_that_dies_is_left_out_until_it_is_back(pair: Pair) -> None:
    for _ in range(4):
        await pair.text.answer(call())
    assert len(pair.one.seen) == len(pair.two.seen) == 2
    await asyncio.to_thread(pair.first.close)
    for _ in range(4):
        await pair.text.answer(call())
    assert len(pair.two.seen) == 6
    pair.first.enter_context(serving(service(pair.one), pair.port))
    await asyncio.sleep(0.5)
    for _ in range(4):
        await pair.text.answer(call())
    assert len(pair.one.seen) == 4


async def test_a_stream_goes_to_the_one_that_is_free(pair: Pair) -> None:
    async with aclosing(pair.text.stream(call("silence", stream=True))) as pieces:
        await anext(pieces)
        busy = pair.one if pair.one.seen else pair.two
        for _ in range(3):
            await pair.text.answer(call())
        assert len(busy.seen) == 1 and len(pair.one.seen) + len(pair.two.seen) == 4
    assert [address.running for address in pair.text.addresses.all] == [0, 0]


@pytest.mark.parametrize("trouble", ["busy", "loading", "html"])
async def test_another_answers_for_one_that_cannot(pair: Pair, trouble: str) -> None:
    pair.one.always = trouble
    for _ in range(4):
        await pair.text.answer(call())
    assert len(pair.two.seen) == 4


async def test_what_would_be_no_better_elsewhere_is_not_asked_again(pair: Pair) -> None:
    for said, error, asked in (("bad field", InvalidRequest, 1), ("hang", UpstreamTimeout, 1), ("busy", Overloaded, 2)):
        pair.one.seen.clear()
        pair.two.seen.clear()
        with pytest.raises(error):
            await pair.text.answer(call(said))
        assert len(pair.one.seen) + len(pair.two.seen) == asked, said
    assert [address.running for address in pair.text.addresses.all] == [0, 0]


async def test_a_stream_on_one_that_dies_ends_with_an_error(pair: Pair) -> None:
    with pytest.raises(UpstreamFailed):
        async with aclosing(pair.text.stream(call("drop", stream=True))) as pieces:
            async for _ in pieces:
                pass
    assert len(pair.one.seen) + len(pair.two.seen) == 1, "what was heard is not asked for again"
