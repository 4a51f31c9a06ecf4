"""/api/v1/designs over both providers, each a real process: the same requests, the same shapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.db import connect
from gateway.designs import DesignStore
from gateway.main import create_gateway
from gateway.model_adapter import Designed
from gateway.settings import Settings
from shared.design import PLATFORMS, Brief, check, dumps, read_record
from shared.errors import NotFound
from tests.fakes.providers import MODELS, PROVIDERS, Upstreams, running

PATH = "/api/v1/designs"
BRIEF = {"prompt": "coffee place called Blue Door, 20% off", "platform": "instagram", "format": "square"}
OTHER = "cut"
"""A second name of the fake's; only streams are cut under it."""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with running() as upstreams:
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


@pytest.fixture(scope="module")
def one(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """For what no provider has a part in; the tests share it."""
    data_dir = tmp_path_factory.mktemp("one")
    with TestClient(create_gateway(upstreams.settings("custom", data_dir))) as client:
        yield client


def state_of(client: TestClient) -> Any:
    app: Any = client.app
    return app.state


def make(client: TestClient, **more: Any) -> dict[str, Any]:
    answer = client.post(PATH, json=BRIEF | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_brief_becomes_a_design(client: TestClient, provider: str):
    made = make(client, platform="Instagram", format=" SQUARE ")
    expected = {"platform": "instagram", "format": "square", "width": 1080, "height": 1080}
    assert expected | {"model": MODELS[provider], "provider": provider} == {
        name: made[name] for name in (*expected, "model", "provider")
    }
    assert check(dumps(made["design"]), Brief(**BRIEF)) == made["design"]
    assert "explanation" not in made and made["accepted"] is None
    assert client.get(f"{PATH}/{made['id']}").json() == made


def test_both_providers_answer_in_the_same_shape(upstreams: Upstreams, tmp_path: Path):
    shapes = []
    for name in PROVIDERS:
        with TestClient(create_gateway(upstreams.settings(name, tmp_path / name))) as client:
            made = make(client, explain=True)
            shapes.append([(field, type(value)) for field, value in made.items()])
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("platform", "format"), [(p, f) for p, formats in PLATFORMS.items() for f in formats])
def test_every_canvas(one: TestClient, platform: str, format: str):
    made = make(one, platform=platform, format=format)
    assert (made["width"], made["height"]) == PLATFORMS[platform][format]


def test_the_model_is_the_one_that_was_asked(client: TestClient):
    assert make(client, model=OTHER)["model"] == OTHER


def test_explain_names_the_words_of_the_brief(client: TestClient):
    explained = make(client, explain=True)["explanation"]
    assert set(explained) == {"palette", "layout", "copy"}
    assert any("Blue Door" in words for words in explained["copy"].values())


def test_a_platform_has_its_own_model(provider: str, upstreams: Upstreams, tmp_path: Path):
    settings = upstreams.settings(provider, tmp_path, design_model={"meta": OTHER})
    with TestClient(create_gateway(settings)) as client:
        assert make(client, platform="META")["model"] == OTHER
        assert make(client, platform="x")["model"] == MODELS[provider]
        assert make(client, platform="meta", model=MODELS[provider])["model"] == MODELS[provider]


def test_platform_models_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DESIGN_MODEL_META", "ft:starter:House")
    monkeypatch.setenv("DESIGN_MODEL_X", "other")
    assert Settings(data_dir=tmp_path).design_model == {"meta": "ft:starter:House", "x": "other"}


def test_an_unusable_answer_is_asked_for_once_more(client: TestClient, tmp_path: Path):
    assert make(client, prompt=f"once more {tmp_path.name} please", model="bad-json-once")["model"] == "bad-json-once"


@pytest.mark.parametrize("model", ["bad-json", "bad-design"])
def test_two_unusable_answers_are_a_502_and_nothing_is_kept(client: TestClient, model: str):
    error = refusal(client.post(PATH, json=BRIEF | {"model": model}), 502)
    assert error["code"] == "upstream_invalid"
    assert client.get(PATH).json()["data"] == []


@pytest.mark.parametrize(("model", "status"), [("nope", 404), ("fail-429", 429), ("fail-500", 502)])
def test_what_the_provider_refuses_leaves_nothing(client: TestClient, model: str, status: int):
    refusal(client.post(PATH, json=BRIEF | {"model": model}), status)
    assert client.get(PATH).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   \n"}, "prompt"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": "bad \x00 prompt"}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"platform": "myspace"}, "platform"),
        ({"platform": "x", "format": "story"}, "format"),
        ({"format": "../../etc"}, "format"),
        ({"elements": ["video"]}, "elements"),
        ({"elements": []}, "elements"),
        ({"elements": "text"}, "elements"),
        ({"explain": "yes"}, "explain"),
        ({"model": 3}, "model"),
    ],
)
def test_the_field_at_fault_is_named(one: TestClient, change: dict[str, Any], param: str):
    before = one.get(PATH).json()
    error = refusal(one.post(PATH, json=BRIEF | change), 400)
    assert error["param"] == param and error["type"] == "invalid_request_error"
    assert one.get(PATH).json() == before


def test_an_unknown_canvas_is_told_what_there_is(one: TestClient):
    message = refusal(one.post(PATH, json=BRIEF | {"platform": "myspace"}), 400)["message"]
    assert all(platform in message for platform in PLATFORMS)
    message = refusal(one.post(PATH, json=BRIEF | {"platform": "x", "format": "story"}), 400)["message"]
    assert "square" in message and "landscape" in message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"prompt": NaN}', b'{"prompt": "\\ud800"}', b'{"prompt": 1e999}', b"\xff"]
)
def test_broken_bodies(one: TestClient, body: bytes):
    error = refusal(one.post(PATH, content=body, headers={"content-type": "application/json"}), 400)
    assert error["message"]


def test_a_huge_body_is_refused_before_it_is_read(one: TestClient):
    refusal(one.post(PATH, json=BRIEF | {"prompt": "x" * (9 << 20)}), 413)
    assert make(one)["id"]


def test_elements_beyond_text(client: TestClient):
    made = make(client, elements=["text", "rect", "image"])
    assert made["design"]["elements"]


def test_pages(client: TestClient):
    ids = [make(client)["id"] for _ in range(5)]
    first = client.get(PATH, params={"limit": 2, "order": "asc"}).json()
    assert [design["id"] for design in first["data"]] == ids[:2]
    assert first["has_more"] and (first["first_id"], first["last_id"]) == (ids[0], ids[1])
    rest = client.get(PATH, params={"limit": 3, "order": "asc", "after": first["last_id"]}).json()
    assert [design["id"] for design in rest["data"]] == ids[2:] and not rest["has_more"]
    newest = client.get(PATH, params={"after": ids[4]}).json()
    assert [design["id"] for design in newest["data"]] == ids[3::-1]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"order": "sideways"}])
def test_pages_that_are_none(one: TestClient, query: dict[str, Any]):
    assert refusal(one.get(PATH, params=query), 400)["param"] == next(iter(query))


def test_a_page_after_nothing(client: TestClient):
    refusal(client.get(PATH, params={"after": "design_gone"}), 404)
    empty = client.get(PATH).json()
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_drawings(client: TestClient):
    id = make(client, platform="youtube", format="landscape")["id"]
    drawn = client.get(f"{PATH}/{id}.svg")
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert 'width="1280"' in drawn.text and "Blue Door" in drawn.text
    picture = client.get(f"{PATH}/{id}.png")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("id", ["nope", "..%2F..%2Fgateway.db", "%2e%2e", "' OR 1=1 --", "x" * 5000, "design_%00", "é"])
def test_hostile_ids_are_not_found(one: TestClient, id: str):
    make(one)
    for path in (id, f"{id}.svg", f"{id}.png"):
        refusal(one.get(f"{PATH}/{path}"), 404)
    refusal(one.post(f"{PATH}/{id}/feedback", json={"accepted": True}), 404)


def test_feedback_and_export(client: TestClient):
    plain, edited, refused = (make(client) for _ in range(3))
    changed = edited["design"] | {"background_color": "#123456"}
    judged = client.post(f"{PATH}/{plain['id']}/feedback", json={"accepted": True}).json()
    assert judged == plain | {"accepted": True}
    body = {"accepted": True, "edited_spec": changed}
    assert client.post(f"{PATH}/{edited['id']}/feedback", json=body).json()["edited_spec"] == changed
    client.post(f"{PATH}/{refused['id']}/feedback", json={"accepted": False})
    export = client.get(f"{PATH}/export")
    assert export.headers["content-type"].startswith("application/jsonl")
    rows = [json.loads(line) for line in export.text.splitlines()]
    assert rows == [BRIEF | {"response": plain["design"]}, BRIEF | {"response": changed}]
    assert [read_record(row)[1] for row in rows] == [plain["design"], changed]  # what the trainer will read


def test_a_later_verdict_replaces_the_former(client: TestClient):
    id = make(client)["id"]
    client.post(f"{PATH}/{id}/feedback", json={"accepted": True})
    client.post(f"{PATH}/{id}/feedback", json={"accepted": False})
    assert client.get(f"{PATH}/{id}").json()["accepted"] is False
    assert client.get(f"{PATH}/export").text == ""


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "accepted"),
        ({"accepted": "yes"}, "accepted"),
        ({"accepted": True, "edited_spec": {}}, "edited_spec"),
        ({"accepted": True, "edited_spec": {"background_color": "red", "elements": []}}, "edited_spec"),
        ({"accepted": True, "edited_spec": "text"}, "edited_spec"),
    ],
)
def test_feedback_that_is_none_changes_nothing(one: TestClient, body: dict[str, Any], param: str):
    made = make(one)
    assert refusal(one.post(f"{PATH}/{made['id']}/feedback", json=body), 400)["param"] == param
    assert one.get(f"{PATH}/{made['id']}").json() == made


def test_an_export_of_many(client: TestClient):
    store: DesignStore = state_of(client).designs
    brief, spec = Brief(**BRIEF), make(client)["design"]
    for number in range(250):
        made = store.add("local", brief, ["text"], Designed(spec, f"model {number}", "custom"))
        store.judge("local", made.id, True, None)
    assert len(client.get(f"{PATH}/export").text.splitlines()) == 250


def test_designs_belong_to_the_key_that_made_them(client: TestClient):
    keys = state_of(client).keys
    mine, theirs = ({"authorization": f"Bearer {keys.create(name, {})[1]}"} for name in ("mine", "theirs"))
    keys.checked = float("-inf")  # looked at again only after a second
    id = client.post(PATH, json=BRIEF, headers=mine).json()["id"]
    client.post(f"{PATH}/{id}/feedback", json={"accepted": True}, headers=mine)
    for path in (id, f"{id}.svg", f"{id}.png"):
        assert client.get(f"{PATH}/{path}", headers=mine).status_code == 200
        refusal(client.get(f"{PATH}/{path}", headers=theirs), 404)
    refusal(client.post(f"{PATH}/{id}/feedback", json={"accepted": False}, headers=theirs), 404)
    refusal(client.get(PATH, params={"after": id}, headers=theirs), 404)
    assert client.get(PATH, headers=theirs).json()["data"] == []
    assert client.get(f"{PATH}/export", headers=theirs).text == ""
    assert client.get(f"{PATH}/{id}", headers=mine).json()["accepted"] is True
    refusal(client.get(f"{PATH}/{id}"), 401)


def test_designs_survive_a_restart(settings: Settings):
    with TestClient(create_gateway(settings)) as client:
        made = make(client)
    with TestClient(create_gateway(settings)) as client:
        assert client.get(f"{PATH}/{made['id']}").json() == made


def test_a_design_outlives_its_platform(tmp_path: Path):
    """The table of canvases is data and may shrink; designs made before stay readable."""
    store = DesignStore(connect(tmp_path / "gateway.db"))
    made = store.add("k", Brief(**BRIEF), ["text"], Designed({"background_color": "#000000"}, "m", "custom"))
    store.db.execute("UPDATE designs SET platform = 'vine'")
    assert store.get("k", made.id).platform == "vine"
    with pytest.raises(NotFound):
        store.get("other", made.id)


def test_a_design_costs_tokens(client: TestClient):
    make(client)
    total = client.get("/api/v1/usage").json()["total"]
    assert total["requests"] == 1 and total["prompt_tokens"] > 0 and total["completion_tokens"] > 0
