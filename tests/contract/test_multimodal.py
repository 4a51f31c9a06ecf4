"""/api/v1/multimodal over either provider: what is made lies in files of the key's."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from pydantic import SecretStr

from gateway.db import connect
from gateway.keys import KeyStore
from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from tests.contract.test_images import check_error
from tests.contract.upstream import KEY, serving
from tests.contract.upstream_images import IMAGE_MODELS, SHOWN, ImageScript

BASE = "/api/v1/multimodal"
MAKE = f"{BASE}/generate_image"


@pytest.fixture(params=sorted(IMAGE_MODELS))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def script(provider: str) -> ImageScript:
    return ImageScript(provider)


@pytest.fixture
def app(provider: str, script: ImageScript, tmp_path: Path) -> Iterator[FastAPI]:
    with serving(script.app()) as url:
        settings = Settings(
            data_dir=tmp_path,
            model_provider=provider,
            modalities={"image": MODALITIES["image"](urls=(url,), model=IMAGE_MODELS[provider])},
            openai_api_key=SecretStr(KEY),
            openai_base_url="https://api.openai.test/v1",
        )
        yield create_gateway(settings, httpx.MockTransport(script.router().async_handler))


async def test_a_picture_is_made_listed_fetched_and_deleted(
    client: httpx.AsyncClient, script: ImageScript, provider: str
) -> None:
    made = (await client.post(MAKE, json={"prompt": "a cup", "width": 256, "height": 128})).json()
    assert made.keys() == {"filename", "url", "media_type", "size_bytes", "model"}
    assert (made["media_type"], made["model"]) == ("image/png", SHOWN[provider])
    assert script.seen[-1][1]["size"] == "256x128" and "width" not in script.seen[-1][1]
    found = await client.get(made["url"])
    assert Image.open(io.BytesIO(found.content)).size == (16, 12) and len(found.content) == made["size_bytes"]
    second = (await client.post(MAKE, json={"prompt": "a cup"})).json()
    page = (await client.get(f"{BASE}/list_generated", params={"limit": 1})).json()
    assert [file["filename"] for file in page["data"]] == [second["filename"]] and page["has_more"]
    rest = (await client.get(f"{BASE}/list_generated", params={"after": second["filename"]})).json()
    assert [file["filename"] for file in rest["data"]] == [made["filename"]] and not rest["has_more"]
    gone = await client.delete(f"{BASE}/delete/{made['filename']}")
    assert gone.json() == {"filename": made["filename"], "deleted": True}
    check_error(await client.get(made["url"]), 404, "filename", "file_not_found")
    used = (await client.get("/api/v1/usage")).json()["total"]
    assert used["images"] == 2


@pytest.mark.parametrize("name", ["x", "..", "..%2Fgateway.db", "%00", "file-none.png", "x" * 3000])
async def test_names_that_are_no_file(client: httpx.AsyncClient, name: str) -> None:
    for method, what in (("GET", "download"), ("DELETE", "delete")):
        answer = await client.request(method, f"{BASE}/{what}/{name}")
        assert answer.status_code in (404, 405), answer.text


async def test_an_upload_is_no_generated_file(client: httpx.AsyncClient) -> None:
    sent = {"file": ("page.html", b"<script>", "text/html")}
    file = (await client.post("/v1/files", data={"purpose": "vision"}, files=sent)).json()
    check_error(await client.get(f"{BASE}/download/{file['id']}"), 404, "filename")
    assert (await client.get(f"{BASE}/list_generated")).json()["data"] == []


async def test_another_key_finds_nothing(client: httpx.AsyncClient, app: FastAPI, tmp_path: Path) -> None:
    keys = KeyStore(connect(tmp_path / "gateway.db"))
    one, two = (keys.create(name, {})[1] for name in ("one", "two"))
    app.state.keys._load()
    client.headers["authorization"] = f"Bearer {one}"
    made = (await client.post(MAKE, json={"prompt": "a cup"})).json()
    signed = (await client.post("/v1/images/generations", json={"prompt": "x", "response_format": "url"})).json()
    client.headers["authorization"] = f"Bearer {two}"
    for method, what in (("GET", "download"), ("DELETE", "delete")):
        check_error(await client.request(method, f"{BASE}/{what}/{made['filename']}"), 404, "filename")
    assert (await client.get(f"{BASE}/list_generated")).json()["data"] == []
    edit = {"prompt": "x", "images": [{"file_id": made["filename"].partition(".")[0]}]}
    check_error(await client.post("/v1/images/edits", json=edit), 404, "images[0].file_id")
    del client.headers["authorization"]
    assert (await client.get(made["url"])).status_code == 401
    assert (await client.get(signed["data"][0]["url"])).status_code == 200
    assert (await client.get("/v1/images/files/x?expires=1&signature=1")).status_code == 403


async def test_what_there_is(client: httpx.AsyncClient, provider: str) -> None:
    found = (await client.get(f"{BASE}/capabilities")).json()["operations"]
    told = {"modality": "image", "offered": True, "provider": provider, "model": SHOWN[provider]}
    assert found["generate_image"] == told
    assert found["generate_video"] == {"modality": "video", "offered": False, "provider": None, "model": None}
    for name, row in found.items():
        if not row["offered"]:
            answer = await client.post(f"{BASE}/{name}", json={"prompt": "x"})
            check_error(answer, 400, None, "unsupported_by_provider")


async def test_init(client: httpx.AsyncClient, provider: str) -> None:
    for body in (None, {"modalities": ["image"]}):
        answer = await client.post(f"{BASE}/init_multimodal", json=body)
        assert answer.status_code == 200, answer.text
        loaded = answer.json()["modalities"]["image"]
        assert (loaded["id"], loaded["provider"]) == (SHOWN[provider], provider)
    wrong = await client.post(f"{BASE}/init_multimodal", json={"modalities": ["video"]})
    check_error(wrong, 400, "modalities")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"width": 256}, "height"),
        ({"width": 3, "height": 8}, "width"),
        ({"n": 2}, "n"),
        ({"stream": True}, "stream"),
    ],
)
async def test_bad_fields(client: httpx.AsyncClient, script: ImageScript, fields: dict[str, Any], param: str) -> None:
    check_error(await client.post(MAKE, json={"prompt": "a cup"} | fields), 400, param)
    assert not script.seen
