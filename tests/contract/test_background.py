"""Responses in the background over every provider: followed, looked at, cancelled, interrupted."""

import asyncio
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from gateway.main import create_gateway
from tests.contract import asking
from tests.contract.upstream import WORDS

SAID = "".join(WORDS)


@pytest.fixture
def sdk(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return asking.sdk(client)


async def end_of(sdk: openai.AsyncOpenAI, id: str) -> Any:
    for _ in range(500):
        found = await sdk.responses.retrieve(id)
        if found.status not in ("queued", "in_progress"):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it does not end")


async def test_it_ends_without_its_client(sdk: openai.AsyncOpenAI) -> None:
    talk = await sdk.conversations.create()
    made = await sdk.responses.create(input="hello", background=True, conversation=talk.id)
    assert (made.status, made.background, made.output) == ("queued", True, [])
    done = await end_of(sdk, made.id)
    assert (done.status, done.output_text, done.id) == ("completed", SAID, made.id)
    assert done.usage.total_tokens == 10 and len((await sdk.conversations.items.list(talk.id)).data) == 2
    assert await sdk.responses.cancel(made.id) == done, "too late changes nothing"
    more = await sdk.responses.create(input="and?", previous_response_id=made.id)
    assert more.status == "completed"


async def test_its_events_can_be_read_again_from_any_number(sdk: openai.AsyncOpenAI) -> None:
    asked: Any = {"input": "hello", "background": True, "stream": True}
    events = [event async for event in await sdk.responses.create(**asked)]
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:3] == ["created", "queued", "in_progress"] and kinds[-1] == "completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    id = events[0].response.id
    for after in (0, 4):
        again = [event async for event in await sdk.responses.retrieve(id, stream=True, starting_after=after)]
        assert again == events[after + 1 :]
    last = [event async for event in await sdk.responses.retrieve(id, stream=True, starting_after=99)]
    assert [(event.type, event.sequence_number) for event in last] == [("response.completed", 100)]
    async with sdk.responses.stream(response_id=id, starting_after=3) as helped:
        assert (await helped.get_final_response()).output_text == SAID


async def test_a_response_of_the_foreground_can_be_read_again_too(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.responses.create(input="hello")
    events = [event async for event in await sdk.responses.retrieve(whole.id, stream=True)]
    assert events[-1].type == "response.completed" and events[-1].response == whole
    streamed = [event async for event in await sdk.responses.create(input="hello", stream=True)]
    id = vars(streamed[-1])["response"].id
    assert [event async for event in await sdk.responses.retrieve(id, stream=True)] == streamed


@pytest.fixture
def patient(more: dict[str, Any]) -> None:
    more["upstream_timeout_s"] = 20.0


@pytest.mark.usefixtures("patient")
async def test_what_runs_can_be_cancelled_and_deleted(
    app: FastAPI, client: httpx.AsyncClient, sdk: openai.AsyncOpenAI, provider: str
) -> None:
    if provider == "openai":
        pytest.skip("respx answers at once")
    ids = [(await sdk.responses.create(input="silence", background=True)).id for _ in range(2)]
    follower = asyncio.create_task(client.get(f"/v1/responses/{ids[0]}?stream=true"))
    for _ in range(200):
        if (await sdk.responses.retrieve(ids[0])).output:
            break
        await asyncio.sleep(0.01)
    running = await sdk.responses.retrieve(ids[0])
    assert running.status == "in_progress" and running.output
    with pytest.raises(openai.BadRequestError) as early:
        await sdk.responses.create(input="more", previous_response_id=ids[0])
    assert early.value.param == "previous_response_id"
    cancelled = await sdk.responses.cancel(ids[0])
    assert cancelled.status == "cancelled" and await sdk.responses.retrieve(ids[0]) == cancelled
    assert '"status":"cancelled"' in (await follower).text.split("event: ")[-1]
    await sdk.responses.delete(ids[1])
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(ids[1])
    assert not app.state.runs.running


@pytest.mark.parametrize(("said", "code"), [("bad field", "invalid_prompt"), ("busy", "rate_limit_exceeded")])
async def test_a_refusal_is_a_failed_response(sdk: openai.AsyncOpenAI, said: str, code: str) -> None:
    made = await sdk.responses.create(input=said, background=True)
    done = await end_of(sdk, made.id)
    assert done.status == "failed" and done.error.code == code


async def test_what_is_wrong_is_said_at_once(client: httpx.AsyncClient, sdk: openai.AsyncOpenAI) -> None:
    for body, param in (({"input": []}, "input"), ({"input": "x", "previous_response_id": "resp_0"}, None)):
        answer = await client.post("/v1/responses", json={**body, "background": True})
        assert answer.status_code in (400, 404) and param in (None, answer.json()["error"]["param"])
    made = await sdk.responses.create(input="hello")
    with pytest.raises(openai.BadRequestError) as foreground:
        await sdk.responses.cancel(made.id)
    assert foreground.value.param == "response_id"


async def test_it_belongs_to_its_key(app: FastAPI, client: httpx.AsyncClient) -> None:
    secrets = [app.state.keys.create(name, {})[1] for name in ("one", "two")]
    app.state.keys.checked = float("-inf")  # look at the table now
    mine, theirs = ({"authorization": f"Bearer {secret}"} for secret in secrets)
    body = {"input": "silence", "background": True}
    id = (await client.post("/v1/responses", json=body, headers=mine)).json()["id"]
    for method, path in (("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")):
        assert (await client.request(method, f"/v1/responses/{id}{path}", headers=theirs)).status_code == 404
    assert (await client.post(f"/v1/responses/{id}/cancel", headers=mine)).status_code == 200
    used = (await client.get("/api/v1/usage", headers=theirs)).json()["total"]["requests"]
    assert used == 0


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("killed", [True, False])
async def test_after_a_restart_what_ran_has_failed(app: FastAPI, provider: str, killed: bool) -> None:
    if provider == "openai":
        pytest.skip("respx answers at once")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
    async with client, app.router.lifespan_context(app):
        body = {"input": "silence", "background": True}
        id = (await client.post("/v1/responses", json=body)).json()["id"]
        if killed:  # as the next process would find it
            app.state.runs.running[id].asked.keep = lambda *_: None
    again = create_gateway(app.state.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(again), base_url="http://gateway") as client:
        found = (await client.get(f"/v1/responses/{id}")).json()
        assert found["status"] == "failed" and "stopped" in found["error"]["message"]
        events = (await client.get(f"/v1/responses/{id}?stream=true&starting_after=40")).text
        assert events.startswith("event: response.failed") and '"sequence_number":41' in events
