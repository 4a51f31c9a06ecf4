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
from tests.contract.test_fine_tuning import made, training_service, uploaded
from tests.contract.upstream import serving

NOWHERE = ("http://127.0.0.1:9",)


def before(data_dir: Path, **urls: tuple[str, ...]) -> FastAPI:
    """A gateway before these services."""
    modalities = {name: MODALITIES[name](urls=urls[name], model="starter") for name in urls}
    return create_gateway(Settings(data_dir=data_dir, modalities=modalities))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FastAPI]:
    with serving(training_service(tmp_path)) as url:
        yield before(tmp_path, text=(url,), image=NOWHERE, audio=NOWHERE)


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
    async with asking(before(tmp_path, text=NOWHERE, image=NOWHERE)) as client:
        for path in ("/v1/models", "/v1/fine_tuning/jobs"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed"), path


async def test_jobs_of_those_that_are_there_can_be_made(tmp_path: Path) -> None:
    with serving(training_service(tmp_path, "image")) as url:
        async with asking(before(tmp_path, text=NOWHERE, image=(url,))) as client:
            api = sdk(client)
            file = await uploaded(api)
            job = await api.fine_tuning.jobs.create(model="starter-image", training_file=file)
            assert job.id.startswith("ftjob-image-")
            for name in ("starter", "house"):  # they may be the text service's
                with pytest.raises(openai.InternalServerError) as failed:
                    await api.fine_tuning.jobs.create(model=name, training_file=file)
                assert failed.value.code == "upstream_failed"
            assert [one.id async for one in api.fine_tuning.jobs.list()] == [job.id]


async def test_an_engine_that_trains_nothing_has_no_jobs(tmp_path: Path) -> None:
    alone = FastAPI()
    alone.get("/v1/models")(lambda: {"object": "list", "data": [{"id": "llama", "object": "model"}]})
    with serving(alone) as engine, serving(training_service(tmp_path, "image")) as url:
        async with asking(before(tmp_path, text=(engine,), image=(url,))) as client:
            api = sdk(client)
            file = await uploaded(api)
            job = await api.fine_tuning.jobs.create(model="starter-image", training_file=file)
            assert [one.id async for one in api.fine_tuning.jobs.list()] == [job.id]
            with pytest.raises(openai.NotFoundError) as failed:
                await api.fine_tuning.jobs.create(model="llama", training_file=file)
            assert (failed.value.code, failed.value.param) == ("model_not_found", "model")
