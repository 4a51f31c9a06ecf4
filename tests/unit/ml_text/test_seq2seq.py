"""Encoder-decoder models as a client meets them: chat and completions, limits, streams, adapters by name, memory."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ml_text.engine import Request
from shared import registry
from shared.errors import InvalidRequest, OutOfMemory
from tests.unit.ml_text.reference import generate, load, spelt
from tests.unit.ml_text.test_adapters import make_adapter
from tests.unit.ml_text.test_engine import ask, random_ids

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


async def say(engine: Any, **fields: Any) -> tuple[str, int]:
    """The answer's text, and how many tokens were read."""
    async with engine.open(Request(**{"max_tokens": 10, **fields})) as answer:
        return "".join([delta.text async for delta in answer]), answer.prompt_tokens


async def test_a_chat_of_one_message_is_that_message(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="t5"))
    prompt = "summarize: the quick brown fox jumps"
    written, read = await say(engine, prompt=prompt)
    assert await say(engine, messages=[{"role": "user", "content": prompt}]) == (written, read)
    turns = [{"role": "system", "content": "be quick"}, {"role": "user", "content": "the fox"}]
    assert await say(engine, messages=turns) == await say(engine, prompt="be quick\nthe fox")
    tools = [{"type": "function", "function": {"name": "jump"}}]
    assert (await say(engine, messages=turns, tools=tools))[1] > read


async def test_it_does_not_draw_unless_asked(save_model: Any, start: Any) -> None:
    folder = save_model(family="bart", words=True)
    engine = start(folder)
    text, _ = await say(engine, prompt=[9, 17, 30])
    assert text.replace(" ", "") == spelt(generate(load(folder), [9, 17, 30], 10)[0])
    drawn = [await say(engine, prompt=[9, 17, 30], sampling={"temperature": 2.0, "seed": seed}) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


async def test_a_second_token_that_is_always_the_same(save_model: Any, start: Any) -> None:
    folder = save_model(family="bart", words=True)
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "forced_bos_token_id": 8}))
    expected = generate(load(folder), [9, 17, 30], 11)[0]
    assert expected[0] == 8
    text, _ = await say(start(folder), prompt=[9, 17, 30])
    assert text.replace(" ", "") == spelt(expected[1:])


async def test_what_is_too_long_is_refused_and_not_cut(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="t5"), context_length=64)
    assert (await say(engine, prompt=random_ids(64, 0)))[1] == 64
    text = "summarize: " + "the quick brown fox " * 40
    long: list[tuple[dict[str, Any], str]] = [
        ({"prompt": random_ids(65, 0)}, "prompt"),
        ({"prompt": "x" * 1_000_000}, "prompt"),
        ({"messages": [{"role": "user", "content": text}]}, "messages"),
    ]
    for fields, param in long:
        with pytest.raises(InvalidRequest) as caught:
            await say(engine, **fields)
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", param)
    for prompt, match in (([5, 384], "vocabulary"), ([], "empty")):
        with pytest.raises(InvalidRequest, match=match):
            await say(engine, prompt=prompt)
    assert (await ask(engine, [5], None))[1].tokens == 63  # what it writes has a limit of its own


async def test_streams_stop_strings_and_callers_who_leave(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="bart", max_position_embeddings=4096), slots=1)
    whole, _ = await ask(engine, "the quick", 40)
    streamed, _ = await ask(engine, "the quick", 40, stream=True)
    assert streamed == whole
    stop = whole[6:9]
    text, last = await ask(engine, "the quick", 40, stop=[stop])
    assert (text, last.finish_reason) == (whole[: whole.index(stop)], "stop")
    async with engine.open(Request(prompt="the")) as answer:
        await anext(aiter(answer))
    assert (await ask(engine, "the quick", 40))[0] == whole


async def test_rows_of_any_age_share_a_step(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="t5"), slots=3)
    prompts = [random_ids(3 + 7 * i, i) for i in range(9)]
    lengths = [3 + (7 * i) % 30 for i in range(9)]
    alone = [await ask(engine, prompt, length) for prompt, length in zip(prompts, lengths, strict=True)]
    together = await asyncio.gather(
        *(ask(engine, prompt, length) for prompt, length in zip(prompts, lengths, strict=True))
    )
    assert together == alone


async def test_log_probabilities_are_of_the_answer_alone(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="t5"))
    async with engine.open(Request(prompt=[9, 17], max_tokens=6, logprobs=2, ignore_eos=True)) as answer:
        tokens = [token for delta in [delta async for delta in answer] for token in delta.logprobs]
    assert len(tokens) == 6 and all(token.logprob == token.top[0][1] for token in tokens), "greedy: the likeliest"
    with pytest.raises(InvalidRequest) as caught:
        await say(engine, prompt=[9, 17], logprobs=0, score_prompt=True)
    assert caught.value.param == "echo"


async def test_a_grammar_holds(save_model: Any, start: Any) -> None:
    engine = start(save_model(family="t5"))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {**schema, "additionalProperties": False}}}
    text, _ = await say(engine, prompt="the quick", response_format=form, max_tokens=30)
    assert text.startswith('{"n":') and text.endswith("}")


async def test_adapters_by_name_and_out_of_memory(
    tmp_path: Path, save_model: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.training import memory

    engine = start(save_model(family="t5"), idle_s=0.2)
    make_adapter(tmp_path / "adapter", 1, "t5")
    registry.publish(engine.settings.data_dir, "ft:tiny:a", tmp_path / "adapter", {"service": "text", "base": "tiny"})
    with monkeypatch.context() as patched:
        patched.setattr(memory, "available_bytes", lambda device: memory.RESERVE_BYTES)
        with pytest.raises(OutOfMemory):
            await say(engine, prompt="the")
    plain, adapted = [await say(engine, model=name, prompt="the quick") for name in ("tiny", "ft:tiny:a")]
    assert plain != adapted
    while engine.pool.residents:  # noqa: ASYNC110 - nobody asked for it for a while
        await asyncio.sleep(0.05)
    assert await say(engine, model="ft:tiny:a", prompt="the quick") == adapted
