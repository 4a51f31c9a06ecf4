"""While one service is down, merged answers hold what the others have and name it; the official client reads them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from fastapi import FastAPI

from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from tests.contract.asking import asking, sdk
from tests.contract.test_fine_tuning import made, text_service
from tests.contract.upstream import serving

NOWHERE = ("http://127.0.0.1:9",)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FastAPI]:
    with serving(text_service(tmp_path)) as url:
        urls = {"text": (url,), "image": NOWHERE, "audio": NOWHERE}
        modalities = {name: MODALITIES[name](urls=urls[name], model="starter") for name in urls}
        yield create_gateway(Settings(data_dir=tmp_path, modalities=modalities))


@pytest.fixture
async def http(gateway: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(gateway) as client:
        yield client


@pytest.fixture
def api(http: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(http)


async def test_jobs(http: httpx.AsyncClient, api: openai.AsyncOpenAI) -> None:
    first, second = await made(api, "custom"), await made(api, "custom", suffix="two")
    assert [job.id async for job in api.fine_tuning.jobs.list(limit=1)] == [second.id, first.id]
    listed = (await http.get("/v1/fine_tuning/jobs")).json()
    assert [job["id"] for job in listed["data"]] == [second.id, first.id]
    assert listed["unavailable"] == ["image", "audio"]


async def test_models(http: httpx.AsyncClient, api: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in api.models.list()] == ["starter"]
    assert (await http.get("/v1/models")).json()["unavailable"] == ["image", "audio"]


async def test_readiness_names_who_is_not(http: httpx.AsyncClient) -> None:
    answer = await http.get("/ready")
    message = answer.json()["error"]["message"]
    assert answer.status_code == 503
    assert "image is not ready" in message and "audio is not ready" in message and "text" not in message


async def test_with_nobody_there_lists_fail(tmp_path: Path) -> None:
    modalities = {name: MODALITIES[name](urls=NOWHERE) for name in ("text", "image")}
    app = create_gateway(Settings(data_dir=tmp_path, modalities=modalities))
    async with asking(app) as client:
        for path in ("/v1/models", "/v1/fine_tuning/jobs"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed"), path
