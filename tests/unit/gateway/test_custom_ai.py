"""/api/v1/custom-ai over both providers, each a real process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.db import connect
from gateway.main import create_gateway
from gateway.sessions import Exchange, SessionStore
from gateway.settings import Settings
from tests.fakes.providers import MODELS, PROVIDERS, Upstreams, running

PATH = "/api/v1/custom-ai"
CONTEXT = 120
"""Tokens: small, so that a chat outgrows it soon."""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with running("--context", str(CONTEXT)) as upstreams:
        yield upstreams


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def settings(provider: str, upstreams: Upstreams, tmp_path: Path) -> Settings:
    return upstreams.settings(provider, tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_gateway(settings)) as client:
        yield client


@pytest.fixture
def custom(upstreams: Upstreams, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_gateway(upstreams.settings("custom", tmp_path))) as client:
        yield client


def post(client: TestClient, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{PATH}/{path}", json=body)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        return answer.json()["error"]
    return answer.json()


def test_without_a_body_the_default_is_loaded(client: TestClient, provider: str):
    for body in (b"", b"{}", b"null"):
        answer = client.post(f"{PATH}/init_model", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200, answer.text
        info = answer.json()
        assert info["id"] == MODELS[provider] and info["provider"] == provider and info["object"] == "model"
    assert client.get(f"{PATH}/model_info").json() == info


def test_loading_shows(custom: TestClient):
    assert custom.get(f"{PATH}/model_info").json()["loaded"] in (False, True)
    info = post(custom, "init_model", model="grown")
    assert info["loaded"] is True and info["context_length"] == CONTEXT and info["parameters"] > 0


def test_the_chosen_model_answers_from_then_on(client: TestClient, settings: Settings):
    post(client, "init_model", model="recall")
    assert client.get(f"{PATH}/model_info").json()["id"] == "recall"
    assert post(client, "generate", prompt="echo this")["model"] == "recall"
    assert post(client, "chat", message="and this")["model"] == "recall"
    with TestClient(create_gateway(settings)) as again:
        assert again.get(f"{PATH}/model_info").json()["id"] == "recall"


def test_a_model_that_cannot_be_loaded_changes_nothing(client: TestClient, provider: str):
    error = post(client, "init_model", 404, model="../../etc/passwd")
    assert error["code"] == "model_not_found" and error["param"] == "model"
    assert client.get(f"{PATH}/model_info").json()["id"] == MODELS[provider]


def test_a_size_picks_the_newest_model_of_it(custom: TestClient):
    assert post(custom, "init_model", size="medium")["id"] == "grown"
    assert post(custom, "generate", prompt="x")["model"] == "grown"
    assert post(custom, "init_model", 404, size="large")["param"] == "size"
    assert post(custom, "init_model", model="starter", size="small")["id"] == "starter"
    assert post(custom, "init_model", 400, model="grown", size="small")["param"] == "size"
    assert custom.get(f"{PATH}/model_info").json()["id"] == "starter"


def test_openai_does_not_tell_sizes(upstreams: Upstreams, tmp_path: Path):
    with TestClient(create_gateway(upstreams.settings("openai", tmp_path))) as client:
        assert post(client, "init_model", 400, size="small")["code"] == "unsupported_by_provider"


def test_generate(client: TestClient, provider: str):
    said = post(client, "generate", prompt="why is the sky blue")
    assert "why is the sky blue" in said["text"] and said["finish_reason"] == "stop"
    assert (said["model"], said["provider"]) == (MODELS[provider], provider)
    assert said["usage"]["total_tokens"] == said["usage"]["prompt_tokens"] + said["usage"]["completion_tokens"] > 0
    short = post(client, "generate", prompt="why is the sky blue", max_length=2)
    assert short["usage"]["completion_tokens"] == 2 and short["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("generate", {}, "prompt"),
        ("generate", {"prompt": ""}, "prompt"),
        ("generate", {"prompt": ["a"]}, "prompt"),
        ("generate", {"prompt": "a", "max_length": 0}, "max_length"),
        ("generate", {"prompt": "a", "max_length": "10"}, "max_length"),
        ("generate", {"prompt": "word " * 500}, "prompt"),
        ("chat", {}, "message"),
        ("chat", {"message": ""}, "message"),
        ("chat", {"message": "a", "session_id": ""}, "session_id"),
        ("chat", {"message": "a", "session_id": "x" * 101}, "session_id"),
        ("chat", {"message": "word " * 500}, "message"),
        ("init_model", {"size": "gigantic"}, "size"),
        ("init_model", {"model": 5}, "model"),
    ],
)
def test_the_field_at_fault_is_named(client: TestClient, path: str, body: dict[str, Any], param: str):
    assert post(client, path, 400, **body)["param"] == param


def test_a_chat_remembers(client: TestClient):
    post(client, "init_model", model="recall")
    first = post(client, "chat", message="my name is Ana")
    second = post(client, "chat", message="who am I", session_id=first["session_id"])
    assert second["session_id"] == first["session_id"]
    assert second["text"] == "my name is Ana | my name is Ana | who am I"
    other = post(client, "chat", message="who am I")
    assert other["session_id"] != first["session_id"] and other["text"] == "who am I"


def test_a_chat_survives_a_restart(settings: Settings, client: TestClient):
    session = post(client, "chat", message="the word is tangerine", session_id="mine")["session_id"]
    assert session == "mine"
    with TestClient(create_gateway(settings)) as again:
        post(again, "init_model", model="recall")
        assert "tangerine" in post(again, "chat", message="which word", session_id="mine")["text"]


def test_a_chat_rolls_on_beyond_the_context(client: TestClient, settings: Settings):
    post(client, "init_model", model="recall")
    for number in range(30):
        said = post(client, "chat", message=f"message number {number}", session_id="long")
        assert said["text"].endswith(f"message number {number}")
        assert said["usage"]["prompt_tokens"] <= CONTEXT
    kept = SessionStore(connect(settings.data_dir / "gateway.db")).history("local", "long")
    assert 0 < len(kept) < 30 and kept[-1].message == "message number 29"


def test_a_chat_keeps_no_more_than_fits(custom: TestClient, upstreams: Upstreams):
    """A quarter of the context is left to the answer, by the counts of the model itself."""
    for number in range(30):
        said = post(custom, "chat", message=f"message number {number}", session_id="long")
        assert said["usage"]["prompt_tokens"] <= CONTEXT * 3 // 4 + 10


@pytest.mark.parametrize(("model", "status"), [("fail-429", 429), ("fail-500", 502)])
def test_a_failed_answer_leaves_no_trace(client: TestClient, settings: Settings, model: str, status: int):
    post(client, "chat", message="first", session_id="s")
    post(client, "init_model", model=model)
    post(client, "chat", status, message="lost", session_id="s")
    kept = SessionStore(connect(settings.data_dir / "gateway.db")).history("local", "s")
    assert [exchange.message for exchange in kept] == ["first"]


def test_sessions_and_models_belong_to_their_key(client: TestClient, provider: str):
    app: Any = client.app
    keys = app.state.keys
    mine, theirs = ({"authorization": f"Bearer {keys.create(name, {})[1]}"} for name in ("mine", "theirs"))
    keys.checked = float("-inf")  # looked at again only after a second
    client.post(f"{PATH}/init_model", json={"model": "recall"}, headers=mine)
    client.post(f"{PATH}/chat", json={"message": "my secret", "session_id": "s"}, headers=mine)
    assert client.get(f"{PATH}/model_info", headers=theirs).json()["id"] == MODELS[provider]
    client.post(f"{PATH}/init_model", json={"model": "recall"}, headers=theirs)
    said = client.post(f"{PATH}/chat", json={"message": "what is it", "session_id": "s"}, headers=theirs).json()
    assert said["text"] == "what is it"
    assert client.get(f"{PATH}/model_info").status_code == 401


@pytest.mark.parametrize("session_id", ["../../x", "'; DROP TABLE exchanges; --", "é\n\t", "%00", "\x00"])
def test_a_hostile_session_is_only_a_name(custom: TestClient, session_id: str):
    post(custom, "init_model", model="recall")
    assert post(custom, "chat", message="one", session_id=session_id)["session_id"] == session_id
    assert post(custom, "chat", message="two", session_id=session_id)["text"] == "one | one | two"


def test_two_at_once_do_not_interleave(tmp_path: Path):
    store = SessionStore(connect(tmp_path / "gateway.db"))
    for message in ("a", "b"):
        store.append("k", "s", Exchange(0, message, message.upper(), 5), oldest=0)
    assert [said["content"] for exchange in store.history("k", "s") for said in exchange.messages] == [
        "a",
        "A",
        "b",
        "B",
    ]


def test_text_that_is_not_offered(tmp_path: Path):
    with TestClient(create_gateway(Settings(data_dir=tmp_path))) as client:
        assert client.get(f"{PATH}/model_info").json()["error"]["code"] == "unsupported_by_provider"
        assert post(client, "chat", 400, message="hi")["code"] == "unsupported_by_provider"
