"""Beam search against transformers' own, over every kind of model; what it answers over HTTP and what it refuses."""

import asyncio
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from ml_text.engine import Request
from ml_text.job import Beams
from tests.unit.ml_text.reference import generate, load, spelt
from tests.unit.ml_text.test_engine import random_ids

ENDS = 7
"""A token that the random models say now and then: taken as their end."""


async def search(engine: Any, prompt: Any, beams: Beams, tokens: int = 12, **fields: Any) -> list[tuple[str, str]]:
    """Text and finish reason of each answer."""
    request = Request(prompt=prompt, max_tokens=tokens, beams=beams, **fields)
    async with engine.open(request) as answer:
        deltas = [delta async for delta in answer]
    assert [delta.choice for delta in deltas] == list(range(beams.answers))
    return [(delta.text.replace(" ", ""), delta.finish_reason or "") for delta in deltas]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3_text", "lstm", "t5", "bart"])
async def test_the_same_answers_as_generate(family: str, save_model: Any, start: Any) -> None:
    folder = save_model(family=family, words=True)
    engine, model = start(folder, prefill_tokens=16, dtype="float32"), load(folder)
    engine_ends = frozenset([ENDS, 50, 60])
    settings: list[dict[str, Any]] = [
        {"width": 3},
        {"width": 4, "answers": 4, "length_penalty": 2.0, "early_stopping": True},
        {"width": 3, "answers": 2, "length_penalty": -0.5},
        {"width": 2, "answers": 2, "length_penalty": 0.6, "early_stopping": "never"},
    ]
    await engine.load(engine.default)
    engine.pool.residents[0].base.end_ids = engine_ends
    prompts = [random_ids(9 + 20 * place, place) for place in range(len(settings))]
    answers = await asyncio.gather(
        *(search(engine, prompt, Beams(**given)) for prompt, given in zip(prompts, settings, strict=True))
    )
    for prompt, given, answer in zip(prompts, settings, answers, strict=True):
        options = {
            "num_beams": given["width"],
            "num_return_sequences": given.get("answers", 1),
            "length_penalty": given.get("length_penalty", 1.0),
            "early_stopping": given.get("early_stopping", False),
            "eos_token_id": sorted(engine_ends),
            "pad_token_id": 0,
        }
        expected = generate(model, prompt, 12, **options)
        assert [text for text, _ in answer] == [
            spelt([id for id in ids if id not in engine_ends]) for ids in expected
        ], given
        assert [reason == "stop" for _, reason in answer] == [bool(engine_ends & set(ids)) for ids in expected]


async def test_penalties_act_as_in_generate(save_model: Any, start: Any) -> None:
    folder = save_model(words=True)
    engine = start(folder, dtype="float32")
    prompt = random_ids(12, 3)
    (answer,) = await search(engine, prompt, Beams(3), sampling={"repetition_penalty": 1.5})
    assert answer[0] == spelt(generate(load(folder), prompt, 12, num_beams=3, repetition_penalty=1.5)[0])
    assert answer != (await search(engine, prompt, Beams(3)))[0]


async def test_a_search_goes_on_beside_others_and_ends_with_its_caller(save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=4096))
    alone = await search(engine, "the quick", Beams(4), 20)
    async with engine.open(Request(prompt="the", beams=Beams(2))):  # 4,000 tokens
        batcher = None
        while batcher is None or not batcher.running:
            await asyncio.sleep(0.005)
            batcher = engine.pool.residents[0].batcher
        drawn = Request(prompt="quick", max_tokens=8, sampling={"temperature": 0})
        async with engine.open(drawn) as answer:
            assert [delta.tokens async for delta in answer][-1] == 8
        assert await search(engine, "the quick", Beams(4), 20) == alone
    while batcher.running:  # noqa: ASYNC110 - it runs in a thread
        await asyncio.sleep(0.005)


async def test_a_stop_string_ends_a_beam(save_model: Any, start: Any) -> None:
    engine = start(save_model(words=True))
    ((free, _),) = await search(engine, [9, 17], Beams(1))
    stop = "w" + free.split("w")[5]
    ((text, reason),) = await search(engine, [9, 17], Beams(1), stop=[stop])
    assert (text, reason) == (free[: free.index(stop)], "stop")


@pytest.fixture
def client(save_model: Any, serve: Any) -> TestClient:
    return serve(save_model(words=True))


CHAT = {"messages": [{"role": "user", "content": "the quick"}], "max_tokens": 8}


def test_n_best_over_http(client: TestClient) -> None:
    body = CHAT | {"num_beams": 3, "n": 2, "stream_options": {"include_usage": True}}
    whole = client.post("/v1/chat/completions", json=body).json()
    said = [choice["message"]["content"] for choice in whole["choices"]]
    assert len(set(said)) == 2 and [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert whole["usage"]["completion_tokens"] == 16
    lines = client.post("/v1/chat/completions", json=body | {"stream": True}).text.split("\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line and "[DONE]" not in line]
    assert chunks[-1]["usage"] == whole["usage"]
    for index in range(2):
        own = [chunk["choices"][0] for chunk in chunks[:-1] if chunk["choices"][0]["index"] == index]
        assert "".join(choice["delta"].get("content") or "" for choice in own) == said[index]
        assert own[-1]["finish_reason"] == "length"
    prompts = {"prompt": [[9, 17], [30]], "max_tokens": 5, "use_beam_search": True, "best_of": 3, "n": 2}
    choices = client.post("/v1/completions", json=prompts).json()["choices"]
    alone = client.post("/v1/completions", json=prompts | {"prompt": [30]}).json()
    assert [choice["text"] for choice in choices[2:]] == [choice["text"] for choice in alone["choices"]]
    assert alone["usage"]["completion_tokens"] == 10


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 4}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"num_beams": 17}, "num_beams"),
        ({"num_beams": 1, "length_penalty": 2.0}, "length_penalty"),
        ({"early_stopping": "soon"}, "early_stopping"),
    ],
)
def test_what_does_not_go_together(client: TestClient, change: Any, param: str) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT | {"num_beams": 3} | change)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
