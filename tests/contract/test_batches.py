"""/v1/batches with the official client, over both providers' text; a gateway that dies leaves nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from gateway.batches.desk import INPUT, OUTPUT, Batches
from gateway.batches.runner import BatchRunner
from gateway.keys import KeyStore
from tests.contract.asking import sdk
from tests.contract.upstream import MODELS, Script

CHAT = "/v1/chat/completions"
ENDED = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
async def api(client: httpx.AsyncClient) -> AsyncIterator[openai.AsyncOpenAI]:
    yield sdk(client)


def row(id: str, text: str, **more: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": text}]}
    return {"custom_id": id, "method": "POST", "url": CHAT, "body": body} | more


async def begin(api: openai.AsyncOpenAI, rows: list[Any], **more: Any) -> Any:
    data = "".join(json.dumps(each) + "\n" for each in rows).encode()
    file = await api.files.create(file=("batch.jsonl", data), purpose="batch")
    return await api.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h", **more)


async def ended(api: openai.AsyncOpenAI, id: str) -> Any:
    async with asyncio.timeout(30):
        while (batch := await api.batches.retrieve(id)).status not in ENDED:  # noqa: ASYNC110  (another part of the app: no event)
            await asyncio.sleep(0.1)
    return batch


async def lines_of(api: openai.AsyncOpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    text = (await api.files.content(file_id)).text
    return {line["custom_id"]: line for line in map(json.loads, text.splitlines())}


async def test_requests_are_answered_in_a_file_and_refusals_in_another(api: openai.AsyncOpenAI, provider: str) -> None:
    batch = await begin(
        api, [*(row(f"r{i}", "hello") for i in range(20)), row("bad", "bad field")], metadata={"a": "b"}
    )
    assert batch.status in ("validating", "in_progress") and batch.metadata == {"a": "b"}
    batch = await ended(api, batch.id)
    assert batch.status == "completed" and batch.completed_at and batch.errors is None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (21, 20, 1)
    answers = await lines_of(api, batch.output_file_id)
    assert set(answers) == {f"r{i}" for i in range(20)}
    response = answers["r3"]["response"]
    assert response["status_code"] == 200 and response["body"]["model"] == MODELS[provider]
    assert response["body"]["choices"][0]["message"]["content"] and answers["r3"]["error"] is None
    refused = (await lines_of(api, batch.error_file_id))["bad"]["response"]
    assert refused["status_code"] == 400 and refused["body"]["error"]["param"] == "temperature"
    assert [each.id async for each in api.batches.list(limit=1)] == [batch.id]


@pytest.mark.parametrize(
    ("rows", "code", "line"),
    [
        ([row("a", "x"), row("a", "y")], "duplicate_custom_id", 2),
        ([row("a", "x", url="/v1/embeddings")], "mismatched_url", 1),
        ([row("a", "x", method="GET")], "invalid_method", 1),
        ([row("", "x")], "missing_required_parameter", 1),
        ([row("a", "x", body="no")], "missing_required_parameter", 1),
        ([row("a", "x", body={"stream": True})], "invalid_stream", 1),
    ],
)
async def test_a_file_with_a_bad_line_is_refused_whole(
    api: openai.AsyncOpenAI, script: Script, rows: list[Any], code: str, line: int
) -> None:
    batch = await ended(api, (await begin(api, rows)).id)
    assert batch.status == "failed" and batch.failed_at and batch.errors.data
    assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, line)
    assert script.seen == [] and batch.output_file_id is None


async def test_a_cancelled_batch_keeps_what_was_answered(api: openai.AsyncOpenAI) -> None:
    batch = await begin(api, [row("first", "hello"), *(row(f"r{i}", "busy") for i in range(40))])
    async with asyncio.timeout(20):
        while not (await api.batches.retrieve(batch.id)).request_counts.completed:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (await api.batches.cancel(batch.id)).status in ("cancelling", "cancelled")
    batch = await ended(api, batch.id)
    assert batch.status == "cancelled" and batch.cancelled_at
    assert set(await lines_of(api, batch.output_file_id)) == {"first"}


async def test_a_gateway_that_died_is_followed_by_one_that_goes_on(
    app: FastAPI, api: openai.AsyncOpenAI, script: Script, tmp_path: Path
) -> None:
    """As a crash leaves it: an unfinished output file with a torn last line, and a lease that ran out."""
    batch = await begin(api, [row(f"r{i}", "hello") for i in range(6)])
    batch = await ended(api, batch.id)
    first = await lines_of(api, batch.output_file_id)
    batches: Batches = app.state.batches
    asked = len(script.seen)
    rows = [row(f"r{i}", "hello") for i in range(6)]
    second = await begin(api, rows)
    await ended(api, second.id)
    assert len(script.seen) == asked + 6
    third = await begin_without_runner(app, api, rows)
    output = batches.home(third.id) / OUTPUT
    kept = [json.dumps(line).encode() + b"\n" for line in list(first.values())[:4]]
    output.write_bytes(b"".join(kept) + b'{"custom_id": "r5", "resp')
    asked = len(script.seen)
    runner = BatchRunner(batches, app.state.adapter.offered_text, app.state.keys.find)
    job = batches.store.claim("batch", "somebody")
    assert job is not None
    await runner._run(job)
    assert len(script.seen) == asked + 2  # the torn one and the missing one
    done = await api.batches.retrieve(third.id)
    assert done.status == "completed" and set(await lines_of(api, done.output_file_id)) == {f"r{i}" for i in range(6)}


async def begin_without_runner(app: FastAPI, api: openai.AsyncOpenAI, rows: list[Any]) -> Any:
    """A batch that the gateway's own runner does not see: it looks for a queue that is empty."""
    app.state.batch_runner._claim = nothing
    return await begin(api, rows)


async def nothing() -> None:
    return None


async def test_batches_belong_to_their_key(app: FastAPI, client: httpx.AsyncClient) -> None:
    keys: KeyStore = app.state.keys
    one, two = (sdk(client, keys.create(name, {})[1]) for name in ("one", "two"))
    keys.checked = float("-inf")
    batch = await begin(one, [row("a", "hello")])
    for ask in (two.batches.retrieve(batch.id), two.batches.cancel(batch.id)):
        with pytest.raises(openai.NotFoundError):
            await ask
    with pytest.raises(openai.NotFoundError):
        await two.batches.create(input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h")
    assert (await two.batches.list()).data == []
    assert (await ended(one, batch.id)).status == "completed"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/files"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": "file-no"}, "input_file_id"),
        ({"metadata": {"k": 3}}, "metadata.k"),
    ],
)
async def test_bad_requests_name_their_field(client: httpx.AsyncClient, change: dict[str, Any], param: str) -> None:
    body = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h"} | change
    answer = await client.post("/v1/batches", json=body)
    assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param


async def test_the_input_is_linked_so_that_a_deleted_file_does_not_stop_a_batch(
    app: FastAPI, api: openai.AsyncOpenAI
) -> None:
    batch = await begin_without_runner(app, api, [row("a", "hello")])
    await api.files.delete(batch.input_file_id)
    assert (app.state.batches.home(batch.id) / INPUT).is_file()
