"""Conversations over every provider, by OpenAI's own client, which holds every answer to its types."""

from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from tests.contract import asking
from tests.contract.upstream import WORDS, Script

SAID = "".join(WORDS)


@pytest.fixture
def sdk(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return asking.sdk(client)


ITEMS: Any = [
    {"role": "user", "content": "weather?"},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "17"},
    {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "18"}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "17 degrees"}]},
    {"type": "reasoning", "id": "rs_1", "summary": []},
]


async def test_from_the_first_item_to_the_last(sdk: openai.AsyncOpenAI) -> None:
    made = await sdk.conversations.create(items=ITEMS[:1], metadata={"topic": "demo"})
    assert await sdk.conversations.retrieve(made.id) == made and made.metadata == {"topic": "demo"}
    assert (await sdk.conversations.update(made.id, metadata={"topic": "other"})).metadata == {"topic": "other"}
    added = await sdk.conversations.items.create(made.id, items=ITEMS[1:])
    assert len(added.data) == 6 and (added.first_id, added.last_id) == (added.data[0].id, "rs_1")
    kinds = [item.type async for item in sdk.conversations.items.list(made.id, limit=2, order="asc")]
    assert kinds == [item.get("type", "message") for item in ITEMS]
    page = await sdk.conversations.items.list(made.id, limit=2, after="rs_1", include=["reasoning.encrypted_content"])
    assert [item.type for item in page.data] == ["message", "custom_tool_call_output"] and page.has_more
    one = await sdk.conversations.items.retrieve(added.data[0].id or "", conversation_id=made.id)
    assert one == added.data[0]
    assert await sdk.conversations.items.delete("rs_1", conversation_id=made.id) == await sdk.conversations.retrieve(
        made.id
    )
    assert len([item async for item in sdk.conversations.items.list(made.id)]) == 6
    assert (await sdk.conversations.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError) as gone:
        await sdk.conversations.items.list(made.id)
    assert gone.value.param == "conversation_id"


async def test_a_response_joins_its_conversation(sdk: openai.AsyncOpenAI, script: Script) -> None:
    talk = await sdk.conversations.create(items=[{"role": "developer", "content": "Be brief."}])
    first = await sdk.responses.create(input="hello", conversation=talk.id)
    assert first.conversation and first.conversation.id == talk.id
    [event async for event in await sdk.responses.create(input="more", conversation={"id": talk.id}, stream=True)]
    roles = [message["role"] for message in script.seen[-1]["messages"]]
    assert roles == ["developer", "user", "assistant", "user"]
    items = [item async for item in sdk.conversations.items.list(talk.id, order="asc")]
    said = [item.content[0].text for item in items]  # pyright: ignore[reportAttributeAccessIssue]
    assert said == ["Be brief.", "hello", SAID, "more", SAID] and items[2].id == first.output[0].id
    await sdk.responses.create(input="unkept", conversation=talk.id, store=False)
    await sdk.responses.create(conversation=talk.id)
    assert len([item async for item in sdk.conversations.items.list(talk.id)]) == 8
    [event async for event in await sdk.responses.create(input="drop", conversation=talk.id, stream=True)]
    assert len([item async for item in sdk.conversations.items.list(talk.id)]) == 8


async def test_a_reference_stands_for_its_item(sdk: openai.AsyncOpenAI, script: Script) -> None:
    first = await sdk.responses.create(input="hello")
    talk = await sdk.conversations.create(items=[{"id": "msg_mine", "role": "user", "content": "and?"}])
    given: Any = [{"type": "item_reference", "id": first.output[0].id}, {"id": "msg_mine"}]
    second = await sdk.responses.create(input=given)
    assert [message["role"] for message in script.seen[-1]["messages"]] == ["assistant", "user"]
    listed = [item async for item in sdk.responses.input_items.list(second.id, order="asc")]
    assert [item.id for item in listed] == [first.output[0].id, "msg_mine"]
    await sdk.conversations.delete(talk.id)
    with pytest.raises(openai.BadRequestError) as gone:
        await sdk.responses.create(input=given)
    assert gone.value.param == "input[1].id"


WRONG: list[tuple[str, Any, str]] = [
    ("", {"metadata": {"a": 1}}, "metadata.a"),
    ("", {"items": [{"role": "user"}]}, "items[0].content"),
    ("", {"items": [{"role": "user", "content": "x"}] * 21}, "items"),
    ("", {"items": [{"type": "message", "role": "user", "id": "a", "content": "x"}] * 2}, "items[1].id"),
    ("/{id}", {}, "metadata"),
    ("/{id}/items", {}, "items"),
    ("/{id}/items", {"items": []}, "items"),
    ("/{id}/items", {"items": [{"type": "web_search_call"}]}, "items[0].type"),
    ("/{id}/items?limit=0", None, "limit"),
    ("/{id}/items?after=nope", None, "after"),
    ("/{id}/items/nope", None, "item_id"),
    ("/nope", None, "conversation_id"),
]


async def test_bad_input_names_the_field(client: httpx.AsyncClient) -> None:
    id = (await client.post("/v1/conversations")).json()["id"]
    for path, body, param in WRONG:
        url = "/v1/conversations" + path.format(id=id)
        answer = await (client.get(url) if body is None else client.post(url, json=body))
        assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param, (path, body, answer.text)
    assert (await client.get(f"/v1/conversations/{id}/items")).json()["data"] == []


async def test_another_keys_conversations_are_not_there(app: FastAPI, client: httpx.AsyncClient) -> None:
    secrets = [app.state.keys.create(name, {})[1] for name in ("one", "two")]
    app.state.keys.checked = float("-inf")  # look at the table now
    mine, theirs = ({"authorization": f"Bearer {secret}"} for secret in secrets)
    item = {"id": "msg_a", "role": "user", "content": "x"}
    made = (await client.post("/v1/conversations", json={"items": [item]}, headers=mine)).json()
    url = f"/v1/conversations/{made['id']}"
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"metadata": None}),
        ("GET", "/items", None),
        ("POST", "/items", {"items": [item]}),
        ("GET", "/items/msg_a", None),
        ("DELETE", "/items/msg_a", None),
        ("DELETE", "", None),
    ):
        answer = await client.request(method, url + path, json=body, headers=theirs)
        assert answer.status_code == 404, (method, path)
    for body in ({"conversation": made["id"]}, {"input": [{"type": "item_reference", "id": "msg_a"}]}):
        assert (await client.post("/v1/responses", json=body, headers=theirs)).status_code in (400, 404)
    assert (await client.get(f"{url}/items/msg_a", headers=mine)).status_code == 200
