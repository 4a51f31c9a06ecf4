"""A client that leaves: what it asked for ends at the model's next step, and the model is free."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_audio.asked import SoundAsked, Speech
from ml_audio.composing.composer import Piece
from ml_audio.engine import Engine

SPEAK_ON = ("bark", "csm", "dia")


async def compose(engine: Engine, duration_s: float) -> None:
    made = await engine.compose(SoundAsked(Piece("calm", duration_s)))
    assert len(made.samples) == duration_s * made.sample_rate_hz


async def speak(engine: Engine, text: str) -> None:
    assert [piece async for piece in engine.speak(Speech(text))]


@pytest.mark.parametrize(
    ("family", "ask", "long", "short"),
    [
        ("musicgen", compose, 300.0, 1.0),
        *((family, speak, "one sentence of several words comes first. " * 2000, "hi") for family in SPEAK_ON),
    ],
)
async def test_a_request_without_a_client_ends(
    start: Callable[..., Engine],
    save_model: Callable[..., Path],
    family: str,
    ask: Callable[[Engine, Any], Any],
    long: Any,
    short: Any,
) -> None:
    engine = start(save_model("tiny", family), music="tiny")
    await engine.load("tiny")
    (resident,) = engine.pool.residents
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    for layer in resident.model.model.modules():
        layer.register_forward_hook(lambda *_: loop.call_soon_threadsafe(begun.set) and None)
    task = asyncio.create_task(ask(engine, long))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)  # all of it takes minutes
    await ask(engine, short)
