"""Two providers of images: the other one makes them while the first is away, or makes the same ones to be compared."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from gateway.adapters import fallback, shadowed
from gateway.adapters.shadow_images import MOST
from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from shared.pictures import read_picture
from tests.contract.test_images import CUP, GENERATE
from tests.contract.upstream import KEY, serving
from tests.contract.upstream_images import IMAGE_MODELS, SHOWN, ImageScript, picture


@pytest.fixture(params=sorted(IMAGE_MODELS))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def script(provider: str) -> ImageScript:
    return ImageScript(provider)


@pytest.fixture
def other(provider: str) -> ImageScript:
    return ImageScript("openai" if provider == "custom" else "custom")


@pytest.fixture
def join() -> str:
    return "model_fallback"


@pytest.fixture
def app(provider: str, script: ImageScript, other: ImageScript, join: str, tmp_path: Path) -> Iterator[Any]:
    """Text stands there too: the settings are for both."""
    joined: dict[str, Any] = {join: other.provider}
    both = {each.provider: each for each in (script, other)}
    aliases = tmp_path / "aliases.json"
    rows = {IMAGE_MODELS["openai"]: {"custom": "starter-image"}, "gpt-4o-mini": {"custom": "starter"}}
    aliases.write_text(json.dumps(rows))
    with serving(both["custom"].app()) as url:
        modalities = {
            "text": MODALITIES["text"](urls=(url,), model="gpt-4o-mini" if provider == "openai" else "starter"),
            "image": MODALITIES["image"](urls=(url,), model=IMAGE_MODELS[provider]),
        }
        settings = Settings(
            data_dir=tmp_path / "data",
            model_provider=provider,
            modalities=modalities,
            openai_api_key=SecretStr(KEY),
            openai_base_url="https://api.openai.test/v1",
            model_aliases=aliases,
            model_shadow_rate=1.0,
            **joined,
        )
        yield create_gateway(settings, httpx.MockTransport(both["openai"].router().async_handler))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_answers(
    client: httpx.AsyncClient, script: ImageScript, other: ImageScript, stream: bool
) -> None:
    script.always = "loading"
    for model in (None, SHOWN[script.provider]):
        answer = await client.post(GENERATE, json=CUP | {"stream": stream, "model": model})
        assert answer.status_code == 200 and answer.headers[fallback.HEADER] == other.provider, answer.text
        assert other.seen[-1][1]["model"] == IMAGE_MODELS[other.provider]


async def test_a_refusal_is_an_answer(client: httpx.AsyncClient, script: ImageScript, other: ImageScript) -> None:
    script.always = "bad field"
    assert (await client.post(GENERATE, json=CUP)).status_code == 400 and not other.seen


SHADOW = pytest.mark.parametrize("join", ["model_shadow"])


async def compared(app: FastAPI, client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    await asyncio.wait_for(asyncio.gather(*app.state.adapter.images.running), 10)
    return (await client.get(f"/api/v1/shadow/{answer.headers[shadowed.HEADER]}")).json()


@SHADOW
async def test_both_pictures_are_kept_small(
    app: FastAPI, client: httpx.AsyncClient, script: ImageScript, other: ImageScript
) -> None:
    script.size, other.size = (1024, 512), (640, 640)
    answer = await client.post(GENERATE, json=CUP | {"n": 2})
    assert answer.status_code == 200 and len(answer.json()["data"]) == 2
    kept = await compared(app, client, answer)
    assert (kept["path"], kept["request"]["prompt"]) == ("images/generations", CUP["prompt"])
    for side, one, size in (("first", script, (512, 256)), ("second", other, (512, 512))):
        assert (kept[side]["provider"], kept[side]["model"]) == (one.provider, SHOWN[one.provider])
        assert kept[side]["latency_ms"] > 0 and kept[side]["score"] is None
        pictures = [line.partition("base64,")[2] for line in kept[side]["answer"].split("\n")]
        assert [read_picture(base64.b64decode(each)).size for each in pictures] == [size, size]
    assert other.seen[-1][1]["model"] == IMAGE_MODELS[other.provider] and other.seen[-1][1]["n"] == 2
    used = (await client.get("/api/v1/usage")).json()["data"]
    assert [row["provider"] for row in used] == [script.provider]
    assert (await client.post(f"/api/v1/shadow/{kept['id']}/vote", json={"vote": "first"})).json()["vote"] == "first"


@SHADOW
async def test_no_more_than_a_few_are_kept(app: FastAPI, client: httpx.AsyncClient) -> None:
    kept = await compared(app, client, await client.post(GENERATE, json=CUP | {"n": 7}))
    assert [len(kept[side]["answer"].split("\n")) for side in ("first", "second")] == [MOST, MOST]


@SHADOW
async def test_a_second_that_fails_is_noted(app: FastAPI, client: httpx.AsyncClient, other: ImageScript) -> None:
    other.always = "bad field"
    answer = await client.post(GENERATE, json=CUP)
    assert answer.status_code == 200
    second = (await compared(app, client, answer))["second"]
    assert second["answer"] is None and second["error"]


@SHADOW
async def test_what_is_not_compared(client: httpx.AsyncClient, script: ImageScript, other: ImageScript) -> None:
    stream = await client.post(GENERATE, json=CUP | {"stream": True})
    file = {"image": ("a.png", picture(), "image/png")}
    edit = await client.post("/v1/images/edits", data={"prompt": "blue"}, files=file)
    for answer in (stream, edit):
        assert answer.status_code == 200 and shadowed.HEADER not in answer.headers
    script.always = "bad field"
    assert (await client.post(GENERATE, json=CUP)).status_code == 400
    assert (await client.get("/api/v1/shadow")).json()["data"] == []
