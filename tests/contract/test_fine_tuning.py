"""/v1/fine_tuning/jobs with the official client: in-house by the services' own routes, or at a fake of OpenAI."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from gateway.keys import KeyStore
from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from shared.app import create_app
from shared.errors import NotFound
from shared.jobs.desk import Desk
from shared.jobs.routes import router
from shared.settings import SharedSettings
from tests.contract.asking import asking, sdk
from tests.contract.upstream import MODELS, Script, service, serving
from tests.fakes.process import openai_server

PROVIDERS = ("custom", "openai")
ROWS = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}\n' * 12


class Args(BaseModel):
    """As a trainer's: what this test sends."""

    dataset: list[Path]
    model: str = "starter"
    epochs: float = Field(3, gt=0)
    batch_size: int = Field(4, gt=0)
    learning_rate_multiplier: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class Row:
    Args: type[BaseModel] = Args


def check_base(model: str) -> None:
    if model != MODELS["custom"]:
        raise NotFound(f"no model {model!r}", code="model_not_found", param="model")


def training_service(data_dir: Path, name: str = "text") -> FastAPI:
    """The text routes of a stand-in, and the job routes that every service of ours has."""
    app = create_app("service", routers=[router])
    app.state.desk = Desk(name, SharedSettings(data_dir=data_dir), lambda: {"lora": Row(), "dpo": Row()}, check_base)
    app.mount("/", service(Script("custom")))
    return app


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def gateway(provider: str, tmp_path: Path) -> Iterator[FastAPI]:
    with ExitStack() as stack:
        values: dict[str, Any] = {"data_dir": tmp_path, "model_provider": provider}
        urls = (stack.enter_context(serving(training_service(tmp_path))),) if provider == "custom" else ()
        values["modalities"] = {"text": MODALITIES["text"](urls=urls, model=MODELS[provider])}
        if provider == "openai":
            url = stack.enter_context(openai_server())
            values |= {"openai_api_key": "sk-fake", "openai_base_url": f"{url}/v1"}
        yield create_gateway(Settings(**values))


@pytest.fixture
async def http(gateway: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(gateway) as client:
        yield client


@pytest.fixture
def api(http: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(http)


async def uploaded(api: openai.AsyncOpenAI) -> str:
    return (await api.files.create(file=("ads.jsonl", ROWS), purpose="fine-tune")).id


async def made(api: openai.AsyncOpenAI, provider: str, **more: Any) -> Any:
    return await api.fine_tuning.jobs.create(model=MODELS[provider], training_file=await uploaded(api), **more)


async def test_a_job_is_made_listed_and_looked_at(api: openai.AsyncOpenAI, provider: str) -> None:
    file = await uploaded(api)
    job = await api.fine_tuning.jobs.create(
        model=MODELS[provider],
        training_file=file,
        suffix="ads",
        seed=7,
        metadata={"team": "red"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}},
    )
    assert job.training_file == file and job.model == MODELS[provider] and job.seed == 7
    assert job.status in ("queued", "validating_files") and job.method and job.method.type == "supervised"
    again = await api.fine_tuning.jobs.retrieve(job.id)
    assert again.id == job.id and again.training_file == file
    second = await made(api, provider)
    assert [each.id async for each in api.fine_tuning.jobs.list(limit=1)] == [second.id, job.id]
    assert [each.id async for each in api.fine_tuning.jobs.list(metadata={"team": "red"})] == [job.id]
    events = await api.fine_tuning.jobs.list_events(job.id)
    assert events.data and events.data[0].type == "message"
    assert (await api.fine_tuning.jobs.checkpoints.list(job.id)).data == []


async def test_a_job_is_cancelled(api: openai.AsyncOpenAI, provider: str) -> None:
    job = await made(api, provider)
    assert (await api.fine_tuning.jobs.cancel(job.id)).status == "cancelled"
    assert (await api.fine_tuning.jobs.retrieve(job.id)).status == "cancelled"


async def test_events_come_as_a_stream_until_the_job_has_ended(
    api: openai.AsyncOpenAI, http: httpx.AsyncClient, provider: str
) -> None:
    job = await made(api, provider)
    await api.fine_tuning.jobs.cancel(job.id)
    answer = await http.get(f"/v1/fine_tuning/jobs/{job.id}/events?stream=true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.removeprefix("data: ") for block in answer.text.strip().split("\n\n")]
    events = [json.loads(block) for block in blocks[:-1]]
    assert blocks[-1] == "[DONE]" and events
    assert all(event["object"] == "fine_tuning.job.event" for event in events)
    assert [event["created_at"] for event in events] == sorted(event["created_at"] for event in events)


async def test_custom_ai_trains_on_records_or_a_file(
    http: httpx.AsyncClient, api: openai.AsyncOpenAI, provider: str
) -> None:
    rows = [json.loads(line) for line in ROWS.splitlines()]
    answer = await http.post("/api/v1/custom-ai/train", json={"dataset": rows, "epochs": 2, "suffix": "mine"})
    assert answer.status_code == 200, answer.text
    job = await api.fine_tuning.jobs.retrieve(answer.json()["id"])
    assert job.model == MODELS[provider]
    assert (await api.files.content(job.training_file)).content.splitlines() == [
        json.dumps(row, separators=(",", ":")).encode() for row in rows
    ]
    by_file = await http.post("/api/v1/custom-ai/train", json={"file_id": job.training_file})
    assert by_file.json()["training_file"] == job.training_file and by_file.json()["id"] != job.id


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, None),
        ({"dataset": [], "epochs": 1}, "dataset"),
        ({"dataset": [{"text": "a"}], "file_id": "file-x"}, None),
        ({"file_id": "file-nobody"}, "file_id"),
        ({"dataset": [{"text": "a"}], "epochs": -1}, "epochs"),
        ({"dataset": ["a"]}, "dataset[0]"),
        ({"dataset": [{"text": 2**70}]}, "dataset"),
        ({"dataset": [{"text": "a"}], "weight_decay": 2**70}, None),
    ],
)
async def test_custom_ai_names_what_it_cannot_train_on(
    http: httpx.AsyncClient, body: dict[str, Any], param: str | None
) -> None:
    answer = await http.post("/api/v1/custom-ai/train", json=body)
    assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param, answer.text


async def test_custom_ai_hands_on_hyperparameters(http: httpx.AsyncClient, provider: str) -> None:
    asked = {"dataset": [{"text": "a"}], "batch_size": 0}
    answer = await http.post("/api/v1/custom-ai/train", json=asked)
    if provider == "custom":  # the trainer's own rule
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "batch_size", answer.text
    else:  # it is OpenAI's to judge
        assert answer.status_code == 200


async def test_a_repeated_create_is_one_job(api: openai.AsyncOpenAI, provider: str) -> None:
    file = await uploaded(api)
    create = api.fine_tuning.jobs.create
    first = await create(model=MODELS[provider], training_file=file, extra_headers={"Idempotency-Key": "a"})
    again = await create(model=MODELS[provider], training_file=file, extra_headers={"Idempotency-Key": "a"})
    retried = await create(model=MODELS[provider], training_file=file, extra_headers={"x-stainless-retry-count": "1"})
    other = await create(model=MODELS[provider], training_file=file)
    assert first.id == again.id == retried.id != other.id
    with pytest.raises(openai.BadRequestError) as refused:
        await create(model=MODELS[provider], training_file=file, seed=3, extra_headers={"Idempotency-Key": "a"})
    assert refused.value.code == "idempotency_key_reused"


async def test_jobs_and_files_belong_to_their_key(gateway: FastAPI, http: httpx.AsyncClient, provider: str) -> None:
    keys: KeyStore = gateway.state.keys
    one, two = (sdk(http, keys.create(name, {})[1]) for name in ("one", "two"))
    keys.checked = float("-inf")
    job = await made(one, provider)
    for ask in (
        two.fine_tuning.jobs.retrieve(job.id),
        two.fine_tuning.jobs.cancel(job.id),
        two.fine_tuning.jobs.list_events(job.id),
        two.fine_tuning.jobs.checkpoints.list(job.id),
        two.fine_tuning.jobs.create(model=MODELS[provider], training_file=job.training_file),
    ):
        with pytest.raises(openai.NotFoundError):
            await ask
    assert (await two.fine_tuning.jobs.list()).data == []
    assert [each.id for each in (await one.fine_tuning.jobs.list()).data] == [job.id]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"training_file": "file-nobody"}, "training_file"),
        ({"training_file": None}, "training_file"),
        ({"suffix": ""}, "suffix"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
    ],
)
async def test_bad_requests_name_their_field(
    http: httpx.AsyncClient, api: openai.AsyncOpenAI, provider: str, change: dict[str, Any], param: str
) -> None:
    body = {"model": MODELS[provider], "training_file": await uploaded(api)} | change
    answer = await http.post("/v1/fine_tuning/jobs", json=body)
    assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param, answer.text
    assert (await http.get("/v1/fine_tuning/jobs")).json()["data"] == []


@pytest.mark.parametrize("path", ["", "/events", "/checkpoints"])
async def test_unknown_jobs_are_not_found(http: httpx.AsyncClient, path: str) -> None:
    for id in ("ftjob-text-no", "ftjob-video-no", "nothing", "..%2f..%2fx"):
        answer = await http.get(f"/v1/fine_tuning/jobs/{id}{path}")
        assert answer.status_code == 404, answer.text
