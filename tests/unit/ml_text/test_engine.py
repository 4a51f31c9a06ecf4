"""The engine against transformers' own `generate`, alone and in company, and everything that may end an answer."""

import asyncio
from typing import Any

import pytest
import torch

from ml_text.catalog import FAMILIES
from ml_text.engine import Request
from shared.errors import InvalidRequest, NotFound, Overloaded
from tests.unit.ml_text.reference import generate, load, spelt

GREEDY = {"temperature": 0}


def random_ids(count: int, seed: int) -> list[int]:
    return torch.randint(5, 384, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


async def ask(engine: Any, prompt: Any, max_tokens: int | None = 24, **fields: Any) -> tuple[str, Any]:
    """The text and the last delta."""
    fields = {"sampling": GREEDY, "stream": False, **fields}
    async with engine.open(Request(prompt=prompt, max_tokens=max_tokens, **fields)) as answer:
        deltas = [delta async for delta in answer]
    return "".join(delta.text for delta in deltas), deltas[-1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "stored in bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
async def test_same_tokens_as_generate(family: str, dtype: Any, save_model: Any, start: Any) -> None:
    folder = save_model(family=family, dtype=dtype, words=True)
    engine = start(folder, prefill_tokens=16)
    # one token; several; past the sliding window; past it and cut into four pieces
    prompts = [random_ids(count, count) for count in (1, 9, 30, 61)]
    answers = await asyncio.gather(*(ask(engine, prompt) for prompt in prompts))
    model = load(folder)
    expected = [generate(model, prompt, 24)[0] for prompt in prompts]
    assert [text.replace(" ", "") for text, _ in answers] == [spelt(ids) for ids in expected]
    assert len({tuple(ids) for ids in expected}) == len(prompts), "a model that always says the same proves nothing"


LAID_OUT = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="oneDNN lays out no bfloat16 for this processor, and torch's own products depend on the number of rows",
)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=LAID_OUT)])
async def test_same_text_alone_and_in_company(dtype: str, save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=1024), dtype=dtype)
    sampling = {"temperature": 1.3, "seed": 7}
    prompt = random_ids(20, 0)
    alone, _ = await ask(engine, prompt, 100, sampling=sampling)
    others = [
        ask(engine, random_ids(10 + 37 * i, i), 20 + 9 * i, sampling={"temperature": 1.0, "seed": i}) for i in range(15)
    ]
    (together, _), *_ = await asyncio.gather(ask(engine, prompt, 100, sampling=sampling), *others)
    assert together == alone
    assert alone != (await ask(engine, prompt, 100, sampling={"temperature": 1.3, "seed": 8}))[0]


async def test_half_precision_answers_on_every_processor(save_model: Any, start: Any) -> None:
    text, _ = await ask(start(save_model(), dtype="bfloat16"), random_ids(20, 0), 5)
    assert text


async def test_requests_enter_and_leave_mid_flight(save_model: Any, start: Any) -> None:
    engine = start(save_model(), slots=3, prefill_tokens=16)
    prompts = [random_ids(5 + 3 * i, i) for i in range(12)]
    lengths = [3 + (7 * i) % 30 for i in range(12)]
    alone = [await ask(engine, prompt, length) for prompt, length in zip(prompts, lengths, strict=True)]

    async def later(index: int) -> tuple[str, Any]:
        await asyncio.sleep(0.004 * index)
        return await ask(engine, prompts[index], lengths[index])

    together = await asyncio.gather(*(later(index) for index in range(12)))
    assert together == alone


async def test_streamed_deltas_are_the_whole_text(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    whole, last = await ask(engine, "the quick", 40)
    streamed, end = await ask(engine, "the quick", 40, stream=True)
    assert streamed == whole
    assert (end.finish_reason, end.tokens) == (last.finish_reason, last.tokens) == ("length", 40)


async def test_too_long_a_prompt_is_refused_before_anything_runs(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    for prompt, param in ((random_ids(256, 0), "prompt"), ("x" * 10_000_000, "prompt")):
        with pytest.raises(InvalidRequest) as caught:
            await ask(engine, prompt)
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", param)
    messages = [{"role": "user", "content": "the quick brown fox " * 400}]
    with pytest.raises(InvalidRequest) as caught:
        async with engine.open(Request(messages=messages)):
            pass
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    assert engine.pool.residents[0].batcher.generated == 0


async def test_max_tokens_is_cut_to_the_context(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    for wanted in (None, 10_000):
        _, last = await ask(engine, random_ids(200, 0), wanted)
        assert (last.tokens, last.finish_reason) == (56, "length")


async def test_token_ids_of_another_vocabulary_are_refused(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    for ids in ([5, 384], [-1]):
        with pytest.raises(InvalidRequest, match="vocabulary"):
            await ask(engine, ids)


async def test_the_end_token_ends_an_answer(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    text, last = await ask(engine, "the", 30, sampling={"temperature": 0, "logit_bias": {1: 100.0}})
    assert (text, last.tokens, last.finish_reason) == ("", 1, "stop")
    _, last = await ask(engine, "the", 30, sampling={"temperature": 0, "logit_bias": {1: 100.0}}, ignore_eos=True)
    assert (last.tokens, last.finish_reason) == (30, "length")


async def test_a_stop_string_ends_an_answer_and_is_not_in_it(save_model: Any, start: Any, tokenizer: Any) -> None:
    engine = start(save_model())
    brown = tokenizer(" brown fox")["input_ids"]
    assert len(brown) > 1, "the stop string is to be split over tokens"
    free, _ = await ask(engine, "the quick", 40)
    stop = free[10:14]
    for stream in (False, True):
        text, last = await ask(engine, "the quick", 40, stop=[stop], stream=stream)
        assert text == free[: free.index(stop)]
        assert last.finish_reason == "stop"


async def test_a_caller_who_leaves_frees_the_slot_within_a_step(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=8192), slots=1)
    async with engine.open(Request(prompt="the", sampling=GREEDY)) as answer:
        async for _ in answer:
            break
    batcher = engine.pool.residents[0].batcher
    before = batcher.generated
    await asyncio.wait_for(ask(engine, "the quick", 5), 5)
    assert batcher.generated - before < 5 + 100  # not the 8,000 tokens that the first one had left
    assert batcher.running == batcher.waiting == 0


async def test_a_caller_who_leaves_the_queue_never_runs(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=8192), slots=1)
    async with engine.open(Request(prompt="the", sampling=GREEDY)) as answer:
        await anext(aiter(answer))
        waiting = asyncio.create_task(ask(engine, "quick", 5))
        batcher = engine.pool.residents[0].batcher
        while not batcher.waiting:  # noqa: ASYNC110 - it runs in a thread
            await asyncio.sleep(0.001)
        waiting.cancel()
        while batcher.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert batcher.running == 1


async def test_a_full_queue_says_when_to_come_back(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=8192), slots=1, queue_size=1)
    async with engine.open(Request(prompt="the", sampling=GREEDY)) as running:
        await anext(aiter(running))
        async with engine.open(Request(prompt="quick", sampling=GREEDY)):
            with pytest.raises(Overloaded) as caught:
                await ask(engine, "brown", 5)
    assert caught.value.retry_after_s
    assert (await ask(engine, "brown", 5))[1].tokens == 5


async def test_a_broken_model_fails_its_requests_and_the_engine_lives(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    await engine.load("tiny")
    model = engine.pool.residents[0].base.model
    norm = model.model.norm.weight
    good = norm.data.clone()
    norm.data.fill_(float("nan"))
    with pytest.raises(Exception, match="not a number"):
        await ask(engine, "the")
    norm.data.copy_(good)
    assert (await ask(engine, "the"))[1].finish_reason == "length"


async def test_an_unknown_model_is_not_found(save_model: Any, start: Any) -> None:
    engine = start(save_model())
    with pytest.raises(NotFound) as caught:
        await ask(engine, "the", model="nobody")
    assert caught.value.code == "model_not_found"
    with pytest.raises(NotFound, match="data/hub/mistral-7b"):
        await ask(engine, "the", model="mistral-7b")


async def test_structured_output_is_valid_whatever_the_budget(save_model: Any, start: Any) -> None:
    import json

    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema["additionalProperties"] = False
    response_format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    engine = start(save_model())
    texts = await asyncio.gather(
        *(
            ask(engine, "the", 16 + i, sampling={"temperature": 1.5, "seed": i}, response_format=response_format)
            for i in range(10)
        )
    )
    for text, last in texts:
        assert isinstance(json.loads(text)["name"], str)
        assert last.finish_reason == "stop"
    with pytest.raises(InvalidRequest) as caught:
        await ask(engine, "the", 2, response_format=response_format)
    assert caught.value.param == "max_tokens"
