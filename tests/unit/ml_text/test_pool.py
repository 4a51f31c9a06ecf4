"""What is in memory when: loaded once, on demand, out when idle or when room is needed, never under a request."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from ml_text.engine import Request
from shared import registry
from shared.errors import InvalidRequest, OutOfMemory
from shared.training import memory

GREEDY = {"temperature": 0}


def publish(engine: Any, name: str, folder: Path) -> None:
    registry.publish(engine.settings.data_dir, name, folder, {"service": "text"})


def loaded(engine: Any) -> set[str]:
    return {resident.base.source.name for resident in engine.pool.residents}


async def ask(engine: Any, model: str | None = None, tokens: int = 4) -> str:
    async with engine.open(Request(model=model, prompt="the", max_tokens=tokens, sampling=GREEDY)) as answer:
        return "".join([delta.text async for delta in answer])


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - other threads change it
            await asyncio.sleep(0.01)


async def test_requests_for_the_same_unloaded_model_load_it_once(
    save_model: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_text import loading

    engine = start(save_model())
    loads: list[str] = []
    load = loading.load
    monkeypatch.setattr(loading, "load", lambda source, settings: loads.append(source.name) or load(source, settings))
    answers = await asyncio.gather(*(ask(engine) for _ in range(6)))
    assert loads == ["tiny"]
    assert len(set(answers)) == 1


async def test_a_caller_who_leaves_does_not_stop_the_load_for_the_others(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    first, second = asyncio.create_task(ask(engine)), asyncio.create_task(ask(engine))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_an_idle_model_leaves_and_comes_back(save_model: Any, start: Any) -> None:
    engine = start(save_model(), idle_s=0.2)
    before = await ask(engine)
    await until(lambda: not loaded(engine))
    assert await ask(engine) == before


async def test_a_model_never_leaves_under_a_request(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=8192), idle_s=0.05)
    async with engine.open(Request(prompt="the", sampling=GREEDY)) as answer:
        await anext(aiter(answer))
        await asyncio.sleep(0.3)
        assert loaded(engine) == {"tiny"}


async def test_the_least_recently_used_leaves_for_the_next(save_model: Any, start: Any) -> None:
    folder = save_model(intermediate_size=4096)
    size_mb = -(-memory.weights_bytes(folder) // 2**20)
    engine = start(folder, memory_mb=2 * size_mb + 1, dtype="float32")
    for name in ("second", "third"):
        publish(engine, name, folder)
    await ask(engine, "tiny")
    await ask(engine, "second")
    await ask(engine, "tiny")
    await ask(engine, "third")
    assert loaded(engine) == {"tiny", "third"}


async def test_what_does_not_fit_is_507_and_the_rest_goes_on(save_model: Any, start: Any) -> None:
    folder, large = save_model(), save_model("large", intermediate_size=8192)
    engine = start(folder, memory_mb=1)
    publish(engine, "large", large)
    with pytest.raises(OutOfMemory) as caught:
        await ask(engine, "large")
    assert caught.value.status == 507 and "large needs" in str(caught.value)
    assert await ask(engine, "tiny")


@pytest.mark.slow
async def test_a_conversation_that_does_not_fit_fails_alone(
    save_model: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(save_model(max_position_embeddings=8192))
    short = await ask(engine, tokens=100)
    free = 4 * 600 * 2 * 2 * 2 * 8 * 4 + memory.RESERVE_BYTES  # four slots of 600 positions
    monkeypatch.setattr(memory, "available_bytes", lambda device: free)
    results = await asyncio.gather(
        ask(engine, tokens=2000), *(ask(engine, tokens=100) for _ in range(3)), return_exceptions=True
    )
    assert isinstance(results[0], OutOfMemory)
    assert results[1:] == [short] * 3


async def test_an_allocation_that_fails_is_the_longest_requests_alone(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=1024))
    short = await ask(engine, tokens=50)
    resident = engine.pool.residents[0]
    forward = resident.forward

    def fails(ids: Any, place: Any, cache: Any, keep: int = 1) -> Any:
        if place.length > 300:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")
        return forward(ids, place, cache, keep)

    resident.forward = fails
    results = await asyncio.gather(
        ask(engine, tokens=900), *(ask(engine, tokens=50) for _ in range(3)), return_exceptions=True
    )
    assert isinstance(results[0], OutOfMemory)
    assert results[1:] == [short] * 3


async def test_folders_that_are_no_model(tmp_path: Path, save_model: Any, start: Any) -> None:
    engine = start(save_model())
    pickled = save_model("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    publish(engine, "pickled", pickled)
    with pytest.raises(InvalidRequest, match="safetensors"):
        await ask(engine, "pickled")
    other = save_model("other")
    config = (other / "config.json").read_text().replace('"llama"', '"bloom"')
    (other / "config.json").write_text(config)
    publish(engine, "other", other)
    with pytest.raises(InvalidRequest, match="bloom"):
        await ask(engine, "other")
    cut = save_model("cut")
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[: len(data) // 2])
    publish(engine, "cut", cut)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        await ask(engine, "cut")
    partial = save_model("partial")
    tensors = load_file(partial / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
    publish(engine, "partial", partial)
    with pytest.raises(InvalidRequest, match=r"lacks weights: model\.layers\.1\.mlp\.up_proj\.weight"):
        await ask(engine, "partial")
    assert await ask(engine)


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
async def test_quantised_models_answer(quantize: str, save_model: Any, start: Any) -> None:
    engine = start(save_model(hidden_size=64, head_dim=16), quantize=quantize)
    assert len(await ask(engine, tokens=20)) > 0
    kinds = {type(module).__name__ for module in engine.pool.residents[0].base.model.modules()}
    assert kinds & {"Linear4bit", "Linear8bitLt"}
