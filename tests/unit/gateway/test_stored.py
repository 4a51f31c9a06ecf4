"""Stored chat completions over both providers, with the official client in front."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from starlette.testclient import TestClient

from gateway.main import create_gateway
from tests.fakes.providers import MODELS, PROVIDERS, Upstreams, running

CHAT = "/v1/chat/completions"
HELLO: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with running() as upstreams:
        yield upstreams


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(provider: str, upstreams: Upstreams, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_gateway(upstreams.settings(provider, tmp_path))) as client:
        yield client


def sdk(client: TestClient, secret: str = "none") -> openai.OpenAI:
    http: Any = client
    url = "http://testserver/v1"
    return openai.OpenAI(
        api_key=secret, base_url=url, http_client=http, max_retries=0, _strict_response_validation=True
    )


@pytest.fixture
def api(client: TestClient, provider: str) -> openai.OpenAI:
    return sdk(client)


def keep(api: openai.OpenAI, provider: str, **more: Any) -> ChatCompletion:
    return api.chat.completions.create(model=MODELS[provider], messages=HELLO, store=True, **more)


def refusal(answer: Any, status: int, param: str | None) -> None:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (answer.status_code, error["param"]) == (status, param), error


def test_an_answer_is_kept_changed_and_deleted(api: openai.OpenAI, provider: str):
    made = keep(api, provider, metadata={"team": "red"})
    kept = api.chat.completions.retrieve(made.id)
    assert kept.metadata == {"team": "red"} and kept.model_copy(update={"metadata": None}) == made
    assert api.chat.completions.update(made.id, metadata={"team": "blue"}).metadata == {"team": "blue"}
    assert api.chat.completions.update(made.id, metadata=None).metadata == {}
    assert [one.id for one in api.chat.completions.list()] == [made.id]
    assert api.chat.completions.delete(made.id).deleted
    for call in (api.chat.completions.retrieve, api.chat.completions.delete, api.chat.completions.messages.list):
        with pytest.raises(openai.NotFoundError) as missing:
            call(made.id)
        assert missing.value.param == "completion_id"
    with pytest.raises(openai.NotFoundError):
        api.chat.completions.update(made.id, metadata={})


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_is_kept_as_its_whole(api: openai.OpenAI, provider: str, usage: bool):
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    asked: Any = {"model": MODELS[provider], "messages": HELLO, "store": True, "stream": True, "n": 2, **options}
    chunks = list(api.chat.completions.create(**asked))
    kept = api.chat.completions.retrieve(chunks[0].id)
    for choice in kept.choices:
        said = [part.delta.content or "" for chunk in chunks for part in chunk.choices if part.index == choice.index]
        assert choice.message.content == "".join(said) != "" and choice.finish_reason == "stop"
    assert kept.usage is not None and kept.usage.completion_tokens > 0 and len(kept.choices) == 2
    assert any(chunk.usage for chunk in chunks) == usage


def test_without_store_nothing_is_kept(api: openai.OpenAI, provider: str):
    for more in ({}, {"store": False}, {"store": None}):
        api.chat.completions.create(model=MODELS[provider], messages=HELLO, **more)
    assert list(api.chat.completions.list()) == []


def test_a_broken_stream_is_not_kept(client: TestClient, api: openai.OpenAI):
    answer = client.post(CHAT, json={"model": "cut", "messages": HELLO, "store": True, "stream": True})
    assert '"error"' in answer.text and list(api.chat.completions.list()) == []


def test_the_list_is_filtered_and_paged(api: openai.OpenAI, provider: str):
    ids = [keep(api, provider, metadata={"n": str(i), 'odd"]. key': str(i % 2)}).id for i in range(5)]
    assert [one.id for one in api.chat.completions.list(limit=2)] == ids
    assert [one.id for one in api.chat.completions.list(limit=2, order="desc")] == ids[::-1]
    assert [one.id for one in api.chat.completions.list(after=ids[3])] == ids[4:]
    assert [one.id for one in api.chat.completions.list(metadata={'odd"]. key': "1"})] == [ids[1], ids[3]]
    assert [one.id for one in api.chat.completions.list(metadata={'odd"]. key': "1", "n": "3"})] == [ids[3]]
    assert len(list(api.chat.completions.list(model=MODELS[provider]))) == 5
    assert list(api.chat.completions.list(model="other")) == []


def test_what_was_asked_is_paged_too(client: TestClient, provider: str):
    parts = [{"type": "text", "text": "what"}, {"type": "text", "text": " now"}]
    asked = [*HELLO, {"role": "assistant", "content": "yes"}, {"role": "user", "content": parts}]
    made = client.post(CHAT, json={"messages": asked, "store": True}).json()
    page = client.get(f"{CHAT}/{made['id']}/messages?limit=3").json()
    assert [(one["role"], one["content"]) for one in page["data"]] == [
        ("system", "be brief"),
        ("user", "hello"),
        ("assistant", "yes"),
    ]
    assert page["has_more"] and page["first_id"] == f"{made['id']}-0"
    rest = client.get(f"{CHAT}/{made['id']}/messages?after={page['last_id']}").json()
    assert [(one["content"], one["content_parts"]) for one in rest["data"]] == [(None, parts)] and not rest["has_more"]
    newest = client.get(f"{CHAT}/{made['id']}/messages?order=desc&limit=1").json()
    assert newest["last_id"] == f"{made['id']}-3"
    refusal(client.get(f"{CHAT}/{made['id']}/messages?after=nope"), 404, "after")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"store": "yes"}, "store"),
        ({"store": 1}, "store"),
        ({"store": True, "metadata": []}, "metadata"),
        ({"store": True, "metadata": {"a": 1}}, "metadata.a"),
        ({"store": True, "metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"store": True, "metadata": {str(i): "" for i in range(17)}}, "metadata"),
        ({"store": True, "messages": "hello"}, "messages"),
        ({"store": True, "stream": True, "stream_options": [1]}, "stream_options"),
    ],
)
def test_requests_that_are_wrong(client: TestClient, fields: dict[str, Any], param: str):
    refusal(client.post(CHAT, json={"messages": HELLO} | fields), 400, param)
    assert client.get(CHAT).json()["data"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "order=up", "metadata=x", "metadata[]=x", "after=none", "limit=NaN"]
)
def test_pages_that_are_wrong(client: TestClient, query: str):
    refusal(client.get(f"{CHAT}?{query}"), 404 if "after" in query else 400, query.split("=")[0].removesuffix("[]"))


def test_updates_that_are_wrong(client: TestClient):
    made = client.post(CHAT, json={"messages": HELLO, "store": True}).json()
    path = f"{CHAT}/{made['id']}"
    refusal(client.post(path, json={}), 400, "metadata")
    refusal(client.post(path, json={"metadata": {"a": None}}), 400, "metadata.a")
    body = b'{"metadata": {"a": "\\ud83d"}}'
    refusal(client.post(path, content=body, headers={"content-type": "application/json"}), 400, "metadata.a")


def test_completions_belong_to_their_key(client: TestClient, provider: str):
    app: Any = client.app
    keys = app.state.keys
    mine, theirs = (sdk(client, keys.create(name, {})[1]) for name in ("mine", "theirs"))
    keys.checked = float("-inf")  # look at the table now
    made = keep(mine, provider)
    assert list(theirs.chat.completions.list()) == []
    completions = theirs.chat.completions
    for call in (completions.retrieve, completions.delete, completions.messages.list):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    with pytest.raises(openai.NotFoundError):
        completions.list(after=made.id)
    assert mine.chat.completions.retrieve(made.id).id == made.id
