"""`/v1/fine_tuning/jobs`: OpenAI's client and types, every bad field by its name, owners apart, one job per request."""

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.testclient import TestClient

from shared.app import create_app
from shared.errors import InvalidRequest, NotFound
from shared.files import FileStore
from shared.jobs import folder, rules
from shared.jobs.desk import Desk
from shared.jobs.requests import model_name
from shared.jobs.routes import router
from shared.settings import SharedSettings

OWNER = {"x-owner": "key_1", "x-organization": "acme"}


class ScratchArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dataset: list[Path]
    validation_dataset: list[Path] = []
    name: str | None = None
    seed: int = 42
    epochs: float = Field(3, gt=0)
    batch_size: int = Field(16, gt=0)
    learning_rate_multiplier: float = Field(1.0, gt=0)
    init: Path | None = None


class LoraArgs(ScratchArgs):
    model: str = "starter"
    rank: int = Field(16, gt=0)


class PlainArgs(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dataset: list[Path]


@dataclass
class Row:
    Args: type[BaseModel]


TRAINERS = {"lora": Row(LoraArgs), "scratch": Row(ScratchArgs), "dpo": Row(LoraArgs), "plain": Row(PlainArgs)}


def check_base(model: str) -> None:
    if model == "ft:starter:x":
        raise InvalidRequest("is an adapter", param="model")
    if model not in ("starter", "org/base"):
        raise NotFound(f"no model {model!r}", code="model_not_found", param="model")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk("text", SharedSettings(data_dir=tmp_path), lambda: TRAINERS, check_base)
    yield made
    made.close()


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    app = create_app("service", routers=[router])
    app.state.desk = desk
    with TestClient(app, headers=OWNER) as client:
        yield client


@pytest.fixture
def file_id(tmp_path: Path) -> str:
    return upload(tmp_path, "key_1", "My ads.jsonl")


def upload(data_dir: Path, owner: str, name: str, purpose: str = "fine-tune") -> str:
    """As the gateway keeps an upload."""
    db = sqlite3.connect(data_dir / "gateway.db")
    files = FileStore(data_dir / "files", db)
    with files.draft(1000) as draft:
        draft.write(b'{"text": "a"}\n')
        draft.seal()
        kept = files.put(owner, draft, name, purpose, "application/jsonl", None)
    db.close()
    return kept.id


def create(client: TestClient, file_id: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = {"training_file": file_id, "model": "starter", **fields}
    return client.post("/v1/fine_tuning/jobs", json=body, headers=headers)


def test_a_job_is_made_and_found(client: TestClient, desk: Desk, file_id: str):
    options = {"n_epochs": 2, "batch_size": "auto", "rank": 4}
    made = create(
        client,
        file_id,
        method={"type": "supervised", "supervised": {"hyperparameters": options}},
        suffix="spring ads",
        seed=5,
        metadata={"team": "blue"},
    ).json()
    FineTuningJob.model_validate(made, strict=True)
    assert made["id"].startswith("ftjob-text-") and (made["status"], made["queue_position"]) == ("queued", 1)
    assert made["hyperparameters"] == {
        "n_epochs": 2,
        "batch_size": "auto",
        "learning_rate_multiplier": "auto",
        "rank": 4,
    }
    assert made["metadata"] == {"team": "blue", "trainer": "lora"} and made["organization_id"] == "acme"
    assert client.get(f"/v1/fine_tuning/jobs/{made['id']}").json() == made
    spec = desk.store.get(made["id"]).spec
    assert spec["args"] == {"epochs": 2.0, "rank": 4, "seed": 5, "model": "starter"}
    assert (spec["trainer"], spec["name"]) == ("lora", "ft:starter:acme:spring-ads")
    home = folder.home(desk.settings.data_dir, made["id"])
    assert (home / "training.jsonl").read_bytes() == b'{"text": "a"}\n'
    assert json.loads((home / "spec.json").read_text()) == spec


def test_older_hyperparameters_other_trainers_and_validation(client: TestClient, desk: Desk, file_id: str):
    asked = {"trainer": "scratch", "n_epochs": "auto", "learning_rate_multiplier": 0.5}
    made = create(client, file_id, hyperparameters=asked, validation_file=file_id).json()
    assert made["method"]["type"] == "supervised" and made["metadata"]["trainer"] == "scratch"
    spec = desk.store.get(made["id"]).spec
    assert spec["args"] == {"learning_rate_multiplier": 0.5, "seed": made["seed"]}, "no base: weights begin random"
    assert spec["name"] == "ft:scratch:acme:My-ads" and spec["files"] == ["training.jsonl", "validation.jsonl"]
    dpo = create(client, file_id, method={"type": "dpo"}).json()
    assert (dpo["method"]["type"], dpo["metadata"]["trainer"]) == ("dpo", "dpo")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"training_file": "file-none"}, 404, "training_file"),
        ({"validation_file": "file-none"}, 404, "validation_file"),
        ({"model": "nobody"}, 404, "model"),
        ({"model": "ft:starter:x"}, 400, "model"),
        ({"method": {"type": "reinforcement"}}, 400, "method.type"),
        ({"method": {"type": "supervised", "dpo": {}}}, 400, "method"),
        ({"hyperparameters": {"trainer": "magic"}}, 400, "hyperparameters.trainer"),
        ({"hyperparameters": {"rank": 0}}, 400, "hyperparameters.rank"),
        ({"hyperparameters": {"rnak": 8}}, 400, "hyperparameters.rnak"),
        ({"hyperparameters": {"n_epochs": -1}}, 400, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"dataset": ["/etc/passwd"]}}, 400, "hyperparameters.dataset"),
        ({"hyperparameters": {"init": "/etc"}}, 400, "hyperparameters.init"),
        ({"hyperparameters": {"name": "other"}}, 400, "hyperparameters.name"),
        ({"suffix": "x" * 65}, 400, "suffix"),
        ({"seed": -1}, 400, "seed"),
        ({"metadata": {"k": 1}}, 400, "metadata.k"),
        ({"integrations": [{"type": "wandb"}]}, 400, "integrations"),
        ({"training_file": ""}, 400, "training_file"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    client: TestClient, desk: Desk, file_id: str, fields: dict[str, Any], status: int, param: str
):
    answer = create(client, file_id, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert client.get("/v1/fine_tuning/jobs").json()["data"] == []
    assert list(desk.settings.data_dir.glob("jobs/*")) == []


def test_nested_hyperparameters_are_named_where_they_stand(client: TestClient, file_id: str):
    method = {"type": "supervised", "supervised": {"hyperparameters": {"rank": "many"}}}
    error = create(client, file_id, method=method).json()["error"]
    assert error["param"] == "method.supervised.hyperparameters.rank"


def test_only_files_of_the_purpose_and_of_the_owner(client: TestClient, tmp_path: Path):
    assert create(client, upload(tmp_path, "key_1", "a.jsonl", "batch")).status_code == 400
    assert create(client, upload(tmp_path, "key_2", "a.jsonl")).status_code == 404


def test_another_key_sees_nothing(client: TestClient, file_id: str):
    id = create(client, file_id).json()["id"]
    other = {"x-owner": "key_2"}
    for method, path in (
        ("GET", ""), ("GET", "/events"), ("GET", "/events?stream=true"), ("GET", "/checkpoints"),
        ("POST", "/pause"), ("POST", "/resume"), ("POST", "/cancel"),
    ):  # fmt: skip
        assert client.request(method, f"/v1/fine_tuning/jobs/{id}{path}", headers=other).status_code == 404
    assert client.get("/v1/fine_tuning/jobs", headers=other).json()["data"] == []


def test_a_retried_create_is_one_job(client: TestClient, file_id: str):
    first = create(client, file_id).json()["id"]
    retry = {"x-stainless-retry-count": "1"}
    assert create(client, file_id, retry).json()["id"] == first
    assert create(client, file_id, retry, suffix="other").json()["id"] != first
    assert create(client, file_id, {"x-stainless-retry-count": "0"}).json()["id"] != first


def test_an_idempotency_key_is_one_job(client: TestClient, file_id: str):
    key = {"idempotency-key": "k1"}
    first = create(client, file_id, key).json()["id"]
    assert create(client, file_id, key).json()["id"] == first
    error = create(client, file_id, key, suffix="other")
    assert (error.status_code, error.json()["error"]["code"]) == (400, "idempotency_key_reused")
    assert len(client.get("/v1/fine_tuning/jobs").json()["data"]) == 1


def test_openais_client_pages_and_chooses(client: TestClient, file_id: str):
    ids = [create(client, file_id, metadata={"n": str(i % 2)}).json()["id"] for i in range(5)]
    openai = OpenAI(api_key="k", base_url="http://testserver/v1", http_client=client)
    assert [job.id for job in openai.fine_tuning.jobs.list(limit=2)] == ids[::-1]
    assert [job.id for job in openai.fine_tuning.jobs.list(limit=1, metadata={"n": "1"})] == [ids[3], ids[1]]
    assert openai.fine_tuning.jobs.retrieve(ids[0]).status == "queued"
    assert openai.fine_tuning.jobs.pause(ids[0]).metadata == {"n": "0", "trainer": "lora", "paused": "true"}
    assert openai.fine_tuning.jobs.resume(ids[0]).metadata == {"n": "0", "trainer": "lora"}
    assert openai.fine_tuning.jobs.cancel(ids[0]).status == "cancelled"
    events = list(openai.fine_tuning.jobs.list_events(ids[0], limit=2))
    assert len(events) == 4 and events[-1].message == f"Created fine-tuning job: {ids[0]}"


def test_events_and_checkpoints_of_a_run(client: TestClient, desk: Desk, file_id: str):
    id = create(client, file_id, suffix="x").json()["id"]
    job = desk.store.claim("text", "w")
    assert job is not None
    home = folder.home(desk.settings.data_dir, id)
    line = {"type": "metrics", "step": 1, "total_steps": 9, "time": (now := time.time()), "seconds_left": 60}
    lines = [
        line | {"loss": 2.5, "learning_rate": 0.1},
        line | {"step": 2, "validation_loss": 2.25, "best": True},
        line | {"type": "message", "level": "warn", "message": "one row was skipped", "sounds": [{"format": "mp3"}]},
    ]
    (home / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines) + '{"torn": ')
    (home / "checkpoints").mkdir()
    (home / "checkpoints" / "00000002.pt").touch()
    events = client.get(f"/v1/fine_tuning/jobs/{id}/events").json()["data"]
    for event in events:
        FineTuningJobEvent.model_validate(event, strict=True)
    assert [(event["type"], event["message"]) for event in events[::-1][2:]] == [
        ("metrics", "Step 1/9: training loss=2.5"),
        ("metrics", "Step 2/9: validation loss=2.25"),
        ("message", "one row was skipped"),
    ]
    assert events[0]["data"] == {"sounds": [{"format": "mp3"}]}
    assert events[2]["data"] | {"step": 1, "train_loss": 2.5} == events[2]["data"]
    (checkpoint,) = client.get(f"/v1/fine_tuning/jobs/{id}/checkpoints").json()["data"]
    assert checkpoint["step_number"] == 2
    assert checkpoint["metrics"] == {"step": 2, "train_loss": 2.5, "full_valid_loss": 2.25}
    shown = client.get(f"/v1/fine_tuning/jobs/{id}").json()
    assert shown["status"] == "running" and shown["estimated_finish"] == int(now + 60)

    desk.store.apply(id, rules.succeed(job.token, {"model": "ft:m", "metrics": {"tokens": 7}}, "made ft:m"))
    stream = client.get(f"/v1/fine_tuning/jobs/{id}/events?stream=true&after={events[1]['id']}").text
    sent = [piece.removeprefix("data: ") for piece in stream.split("\n\n") if piece]
    assert sent[-1] == "[DONE]" and [json.loads(piece)["message"] for piece in sent[:-1]] == [
        "one row was skipped",
        "made ft:m",
    ]
    done = client.get(f"/v1/fine_tuning/jobs/{id}").json()
    assert (done["fine_tuned_model"], done["trained_tokens"], done["status"]) == ("ft:m", 7, "succeeded")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("starter", "acme", "ads"), "ft:starter:acme:ads"),
        (("mistralai/Mistral-7B", "key_1", "../x y"), "ft:mistralai-Mistral-7B:key_1:x-y"),
        (("b" * 300, "o" * 300, "s" * 64), f"ft:{'b' * 7}:{'o' * 24}:{'s' * 64}"),
        (("é", "…", "."), "ft:model:model:model"),
    ],
)
def test_names_fit_the_registry(parts: tuple[str, str, str], name: str):
    assert model_name(*parts) == name and len(name) <= 100


def test_a_full_page_of_garbage_is_refused(client: TestClient):
    for path in ("?limit=0", "?limit=101", "?after=nobody", "?metadata=null"):
        assert client.get(f"/v1/fine_tuning/jobs{path}").status_code in (400, 404)
    assert isinstance(client, httpx2.Client)
