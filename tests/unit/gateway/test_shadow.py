import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.adapters.shadow import ShadowText, said
from gateway.names import ModelNames
from gateway.prices import Prices
from gateway.settings import PRICES
from gateway.shadow_store import ShadowStore, Side
from gateway.text import Call, ProviderText
from shared.design import Brief, brief_of, messages
from shared.design.score import overall
from shared.errors import NotFound, UpstreamFailed

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


class Slow:
    """A model that answers when it is told to."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.go = asyncio.Event()

    async def answer(self, call: Call) -> bytes:
        await self.go.wait()
        choice = {"message": {"content": self.word}}
        return orjson.dumps({"model": self.word, "choices": [choice], "usage": USAGE})

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        for _ in range(3):
            choice = {"index": 0, "delta": {"content": self.word}}
            yield b"data: " + orjson.dumps({"model": self.word, "choices": [choice]}) + b"\n\n"
            await self.go.wait()
        yield b"data: " + orjson.dumps({"choices": [], "usage": USAGE}) + b"\n\ndata: [DONE]\n\n"

    async def models(self) -> list[dict[str, Any]]:
        return [{"id": self.word}]

    async def close(self) -> None: ...


def joined(first: Any, second: Any, path: Path) -> ShadowText:
    async def names() -> set[str]:
        return {"a", "b"}

    one, two = (
        ProviderText(provider, model, ModelNames({}, names, closed=True), model.word)
        for provider, model in (("custom", first), ("openai", second))
    )
    return ShadowText(one, two, 1.0, ShadowStore(path), Prices(PRICES))


async def test_the_first_does_not_wait_for_the_second_and_a_stream_that_is_left_is_read_on(tmp_path: Path) -> None:
    first, second = Slow("a"), Slow("b")
    text, store = joined(first, second, tmp_path / "x.db"), ShadowStore(tmp_path / "x.db")
    first.go.set()
    assert said(await asyncio.wait_for(text.answer("chat/completions", BODY), 5)) == "a"
    first.go.clear()
    async with aclosing(text.stream("chat/completions", BODY)) as blocks:
        await anext(blocks)
    first.go.set()
    second.go.set()
    await asyncio.wait_for(asyncio.gather(*text.running), 5)
    kept, _ = store.page("local", None, 10, "asc")
    assert sorted(one["first"]["answer"] for one in kept) == ["a", "aaa"]
    await text.close()


async def test_a_client_that_leaves_does_not_cancel_the_record(tmp_path: Path) -> None:
    first, second = Slow("a"), Slow("b")
    text, store = joined(first, second, tmp_path / "x.db"), ShadowStore(tmp_path / "x.db")
    asking = asyncio.create_task(text.answer("chat/completions", BODY))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    first.go.set()
    second.go.set()
    await asyncio.wait_for(asyncio.gather(*text.running), 5)
    assert store.page("local", None, 10, "asc")[0][0]["second"]["answer"] == "b"
    await text.close()


def test_the_table_is_bounded_and_each_key_sees_its_own(tmp_path: Path) -> None:
    store = ShadowStore(tmp_path / "x.db", max_rows=3)
    side = Side("custom", "starter", "hi", 1.0)
    for i in range(5):
        store.add(f"shadow_{i}", "mine", "completions", b"{}", side, side)
    store.add("shadow_theirs", "theirs", "completions", b"{}", side, side)
    assert [one["id"] for one in store.every("mine")] == ["shadow_3", "shadow_4"]
    with pytest.raises(NotFound):
        store.vote("mine", "shadow_theirs", "tie")
    assert store.get("theirs", "shadow_theirs")["vote"] is None


def test_what_was_said() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"content": None, "tool_calls": calls}
    assert orjson.loads(said(orjson.dumps({"choices": [{"message": message}]}))) == calls
    pieces = (b'data: {"choices":[{"index":0,"text":"%s"}]}\n\n' % word for word in (b"a", b"b"))
    assert said(b"".join(pieces) + b"data: [DONE]\n\n") == "ab"
    with pytest.raises(UpstreamFailed):
        said(b"{}")


def test_a_brief_is_read_back_from_its_messages() -> None:
    for prompt in ("Coffee place called Blue Door, 20% off", "two\nlines, and\nShow: nothing", "plain"):
        brief = Brief(prompt=prompt, platform="instagram", format="square")
        assert brief_of(messages(brief)) == brief
        assert brief_of(messages(brief, ["20%", "Blue Door"])) == brief
    for other in (None, [], "text", [{"role": "user", "content": "instagram square 1x1\nhello"}], [1, 2]):
        assert brief_of(other) is None


def test_one_number_for_a_design() -> None:
    brief = Brief(prompt="Coffee place called Blue Door, 20% off", platform="instagram", format="square")
    box = {"type": "text", "x": 100, "fontSize": 64, "color": "#ffffff", "fontFamily": "Inter"}
    both = [{**box, "y": 100, "text": "Blue Door"}, {**box, "y": 400, "text": "Now 20% off"}]
    good = overall(orjson.dumps({"background_color": "#101010", "elements": both}).decode(), brief)
    half = overall(orjson.dumps({"background_color": "#101010", "elements": both[:1]}).decode(), brief)
    pale = overall(orjson.dumps({"background_color": "#eeeeee", "elements": both}).decode(), brief)
    assert good == 1.0 and 0 < half < 1 and 0 < pale < 1
    assert overall("no design", brief) == 0.0
