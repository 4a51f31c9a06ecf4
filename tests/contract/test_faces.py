"""A face in generated pictures, whichever provider makes the scene; the provider hears nothing of it."""

import base64
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import skimage.data
from fastapi import FastAPI
from PIL import Image
from pydantic import SecretStr

from gateway.faces.composing import Composition
from gateway.faces.finishing import PutIn
from gateway.main import create_gateway
from gateway.providers import PROVIDERS
from gateway.settings import MODALITIES, Settings
from shared.errors import UpstreamFailed
from shared.faces import Cutout, Placement, compose, cut_out, save_cutout
from tests.contract.asking import sdk
from tests.contract.upstream import KEY, serving
from tests.contract.upstream_images import IMAGE_MODELS, ImageScript, picture

SIZE = (160, 120)
GENERATE = "/v1/images/generations"
OURS = {"face_id", "face_blend", "placement", "output_format", "output_compression"}


@pytest.fixture(params=sorted(name for name, row in PROVIDERS.items() if row.image))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def script(provider: str) -> ImageScript:
    return ImageScript(provider, size=SIZE)


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


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60)
    async with client, app.router.lifespan_context(app):
        yield client


@pytest.fixture
def api(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(client)


@pytest.fixture(scope="session")
def person() -> Cutout:
    return cut_out(Image.fromarray(skimage.data.astronaut()).crop((90, 0, 370, 260)))


@pytest.fixture
def face_id(app: FastAPI, person: Cutout) -> str:
    """As POST /v1/faces keeps it."""
    out = io.BytesIO()
    save_cutout(person, out)
    height, width = person.matte.shape
    with app.state.faces.store.draft(1 << 20) as draft:
        draft.write(out.getvalue())
        draft.seal()
        return app.state.faces.store.put("local", draft, width, height, (0.0, 0.0, 1.0, 1.0)).id


def opened(b64: str | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(b64 or "")))


def expected(person: Cutout, color: tuple[int, int, int], blend: float = 0.7, **placement: float) -> Any:
    return np.asarray(compose(person, Image.new("RGB", SIZE, color), Placement(**placement), blend)).astype(int)


def check_error(answer: httpx.Response, status: int, param: str | None) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error


async def test_the_person_is_in_each_picture(
    api: openai.AsyncOpenAI, script: ImageScript, face_id: str, person: Cutout
) -> None:
    extra = {"face_id": face_id, "face_blend": 0.2, "placement": {"x": 0.6}}
    answer = await api.images.generate(prompt="a street", n=2, output_format="png", extra_body=extra)
    assert answer.output_format == "png" and answer.data and len(answer.data) == 2
    for number, image in enumerate(answer.data):
        ours = expected(person, (number, 0, 0), 0.2, x=0.6)
        assert np.abs(np.asarray(opened(image.b64_json)) - ours).max() <= 1  # the matte is kept in eight bits
    assert not OURS & set(script.seen[-1][1])


@pytest.mark.parametrize("format", ["jpeg", "webp"])
async def test_other_forms_are_written_here(
    api: openai.AsyncOpenAI, script: ImageScript, face_id: str, format: Any
) -> None:
    answer = await api.images.generate(
        prompt="a street", output_format=format, output_compression=98, extra_body={"face_id": face_id}
    )
    assert answer.data and opened(answer.data[0].b64_json).format == format.upper()
    assert answer.output_format == format and not OURS & set(script.seen[-1][1])


async def test_a_stream_ends_with_the_person(api: openai.AsyncOpenAI, face_id: str, person: Cutout) -> None:
    asked = api.images.generate(prompt="a street", stream=True, partial_images=1, extra_body={"face_id": face_id})
    events = [event async for event in await asked]
    assert [event.type for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    ours = expected(person, (200, 30, 30))
    assert np.abs(np.asarray(opened(events[-1].b64_json)) - ours).max() <= 1
    assert np.abs(np.asarray(opened(events[0].b64_json)) - ours).max() > 50


async def test_an_address_shows_the_person(client: httpx.AsyncClient, api: openai.AsyncOpenAI, face_id: str) -> None:
    answer = await api.images.generate(
        prompt="a street", response_format="url", output_format="webp", extra_body={"face_id": face_id}
    )
    assert answer.data and answer.data[0].url
    found = await client.get(answer.data[0].url)
    assert found.headers["content-type"] == "image/webp"
    assert len(Image.open(io.BytesIO(found.content)).getcolors(1 << 20) or []) > 1000


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"face_id": "face_none"}, 404, "face_id"),
        ({"output_format": "jpeg", "output_compression": 90}, 400, "output_compression"),
        ({"background": "transparent"}, 400, "background"),
        ({"size": "4096x4096"}, 413, "size"),
        ({"face_blend": 2}, 400, "face_blend"),
        ({"placement": {"x": -1}}, 400, "placement.x"),
    ],
)
async def test_what_cannot_be_is_said_before_a_picture_is_paid_for(
    client: httpx.AsyncClient, script: ImageScript, face_id: str, more: dict[str, Any], status: int, param: str
) -> None:
    body = {"prompt": "a street", "face_id": face_id} | more
    check_error(await client.post(GENERATE, json=body), status, param)
    assert script.seen == []


async def test_a_place_where_the_face_is_cut_off(client: httpx.AsyncClient, face_id: str) -> None:
    body = {"prompt": "a street", "face_id": face_id, "placement": {"x": 0.0}}
    check_error(await client.post(GENERATE, json=body), 400, "placement")


async def test_the_short_calls(client: httpx.AsyncClient, script: ImageScript) -> None:
    photo = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).crop((90, 0, 370, 260)).save(photo, "PNG")
    base = "/api/v1/multimodal"
    face = (await client.post(f"{base}/upload_face", files={"image": ("me.png", photo.getvalue())})).json()
    assert (await client.get(f"/v1/faces/{face['face_id']}")).json()["box"] == face["box"]
    assert (await client.get(f"{base}/capabilities")).json()["operations"]["upload_face"]["offered"]
    asked = {"prompt": "a street", "width": 256, "height": 256, "face_id": face["face_id"], "face_blend": 1}
    made = (await client.post(f"{base}/generate_image", json=asked)).json()
    shown = Image.open(io.BytesIO((await client.get(made["url"])).content))
    assert len(shown.convert("RGB").getcolors(1 << 20) or []) > 1000 and not OURS & set(script.seen[-1][1])
    check_error(await client.post(f"{base}/generate_image", json=asked | {"width": 8192, "height": 2048}), 413, "size")
    check_error(await client.post(f"{base}/upload_face", files={"image": ("a", b"no picture")}), 400, "image")


async def test_an_upstream_s_picture_that_cannot_be_read(app: FastAPI, client: httpx.AsyncClient, face_id: str) -> None:
    for b64 in ("not base64", base64.b64encode(picture()[:40]).decode()):
        with pytest.raises(UpstreamFailed):
            await PutIn(app.state.faces, "local", face_id, Composition())(b64)


@pytest.mark.parametrize("as_form", [True, False])
async def test_edits_take_a_face_too(
    client: httpx.AsyncClient, script: ImageScript, face_id: str, person: Cutout, as_form: bool
) -> None:
    if as_form:
        fields = {"prompt": "dusk", "face_id": face_id, "face_blend": "0.5", "placement[x]": "0.6"}
        answer = await client.post("/v1/images/edits", data=fields, files={"image": ("a.png", picture())})
    else:
        source = {"image_url": f"data:image/png;base64,{base64.b64encode(picture()).decode()}"}
        body = {"prompt": "dusk", "face_id": face_id, "face_blend": 0.5, "placement": {"x": 0.6}, "images": [source]}
        answer = await client.post("/v1/images/edits", json=body)
    assert answer.status_code == 200, answer.text
    made = np.asarray(opened(answer.json()["data"][0]["b64_json"]))
    assert np.abs(made - expected(person, (0, 0, 0), 0.5, x=0.6)).max() <= 1
    assert not any(name.startswith(("face", "placement")) for name in script.seen[-1][1])
    files = {"image": ("a.png", picture())}
    check_error(await client.post("/v1/images/variations", data={"face_id": face_id}, files=files), 400, "face_id")
