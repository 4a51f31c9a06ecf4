"""Every provider of images behaves the same, with OpenAI's own client; a new row is tested by being there."""

import asyncio
import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from PIL import Image
from pydantic import SecretStr

from gateway.main import create_gateway
from gateway.providers import PROVIDERS
from gateway.settings import MODALITIES, Settings
from tests.contract.asking import asking, sdk
from tests.contract.upstream import KEY, serving
from tests.contract.upstream_images import IMAGE_MODELS, SHOWN, ImageScript, picture

CUP: dict[str, Any] = {"prompt": "a red cup"}
GENERATE = "/v1/images/generations"


@pytest.fixture(params=sorted(name for name, row in PROVIDERS.items() if row.image))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def script(provider: str) -> ImageScript:
    return ImageScript(provider)


@pytest.fixture
def other(provider: str) -> ImageScript:
    return ImageScript("openai" if provider == "custom" else "custom")


@pytest.fixture
def more() -> dict[str, Any]:
    """Settings that a test overrides by parametrization."""
    return {}


@pytest.fixture
def app(
    provider: str, script: ImageScript, other: ImageScript, tmp_path: Path, more: dict[str, Any]
) -> Iterator[FastAPI]:
    both = {each.provider: each for each in (script, other)}
    aliases = tmp_path / "aliases.json"
    aliases.write_text(json.dumps({IMAGE_MODELS["openai"]: {"custom": "starter-image"}}))
    with serving(both["custom"].app()) as url:
        settings = Settings(
            data_dir=tmp_path / "data",
            model_provider=provider,
            modalities={"image": MODALITIES["image"](urls=(url,), model=IMAGE_MODELS[provider])},
            openai_api_key=SecretStr(KEY),
            openai_base_url="https://api.openai.test/v1",
            model_aliases=aliases,
            **{"upstream_timeout_s": 1.0, **more},
        )
        yield create_gateway(settings, httpx.MockTransport(both["openai"].router().async_handler))


@pytest.fixture
def api(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(client)


def check_error(answer: httpx.Response, status: int, param: str | None, code: str | None = None) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error
    assert code is None or error["code"] == code
    assert KEY not in answer.text


def size_of(b64: str | None) -> tuple[int, int]:
    return Image.open(io.BytesIO(base64.b64decode(b64 or ""))).size


async def test_words_become_pictures(api: openai.AsyncOpenAI, script: ImageScript, provider: str) -> None:
    answer = await api.images.generate(prompt="a red cup", n=2, size="512x512", output_format="png")
    assert answer.data and [size_of(image.b64_json) for image in answer.data] == [(16, 12)] * 2
    assert answer.created and answer.usage and answer.usage.output_tokens == 272
    assert answer.model_extra == {"model": SHOWN[provider]}
    path, fields, _ = script.seen[-1]
    assert path == "generations" and fields["model"] == IMAGE_MODELS[provider] and fields["size"] == "512x512"


@pytest.mark.parametrize("model", [None, "own", "shown", "gpt-image-1-mini"])
async def test_names(client: httpx.AsyncClient, script: ImageScript, provider: str, model: str | None) -> None:
    name = {"own": IMAGE_MODELS, "shown": SHOWN}.get(model or "", {}).get(provider, model)
    answer = await client.post(GENERATE, json=CUP | {"model": name})
    assert answer.status_code == 200 and answer.json()["model"] == SHOWN[provider]
    check_error(await client.post(GENERATE, json=CUP | {"model": "nope"}), 404, None, "model_not_found") if (
        provider == "openai"
    ) else check_error(await client.post(GENERATE, json=CUP | {"model": "nope"}), 404, "model", "model_not_found")


async def test_the_merged_list_of_models(api: openai.AsyncOpenAI, provider: str) -> None:
    assert [model.id async for model in api.models.list()] == [SHOWN[provider]]
    assert (await api.models.retrieve(SHOWN[provider])).id == SHOWN[provider]
    with pytest.raises(openai.NotFoundError):
        await api.models.retrieve("nope")


async def test_an_address_is_good_for_an_hour(client: httpx.AsyncClient, api: openai.AsyncOpenAI) -> None:
    answer = await api.images.generate(prompt="a red cup", response_format="url")
    assert answer.data and answer.data[0].url and answer.data[0].b64_json is None
    url = answer.data[0].url
    found = await client.get(url)
    assert found.status_code == 200 and found.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(found.content)).size == (16, 12)
    assert found.headers["x-content-type-options"] == "nosniff"
    (file,) = [file async for file in api.files.list()]
    assert file.expires_at == file.created_at + 3600
    for wrong in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace("expires=", "expires=9"), url.split("&")[0]):
        assert (await client.get(wrong)).status_code in (400, 403)


@pytest.mark.parametrize("partial", [0, 2])
async def test_a_stream(api: openai.AsyncOpenAI, client: httpx.AsyncClient, partial: int, provider: str) -> None:
    stream = await api.images.generate(prompt="a red cup", stream=True, partial_images=partial)
    events = [event async for event in stream]
    names = ["image_generation.partial_image"] * partial + ["image_generation.completed"]
    assert [event.type for event in events] == names and size_of(events[-1].b64_json) == (16, 12)
    (used,) = (await client.get("/api/v1/usage")).json()["data"]
    assert (used["model"], used["images"], used["completion_tokens"]) == (SHOWN[provider], 1, 272)


async def test_an_edit(api: openai.AsyncOpenAI, script: ImageScript) -> None:
    photo, mask = picture(), picture((0, 0, 0, 0), mode="RGBA")
    answer = await api.images.edit(image=("cup.png", photo), mask=("m.png", mask), prompt="make it blue", n=2)
    assert answer.data and len(answer.data) == 2
    path, fields, files = script.seen[-1]
    assert path == "edits" and fields["prompt"] == "make it blue" and str(fields["n"]) == "2"
    assert {(name.removesuffix("[]"), data) for name, _, _, data in files} == {("image", photo), ("mask", mask)}
    await api.images.edit(image=[("a.png", photo), ("b.webp", picture(kind="WEBP"))], prompt="join them")
    assert [(name, kind) for name, _, kind, _ in script.seen[-1][2]] == [
        ("image[]", "image/png"),
        ("image[]", "image/webp"),
    ]


async def test_an_edit_as_a_stream(api: openai.AsyncOpenAI) -> None:
    stream = await api.images.edit(image=("cup.png", picture()), prompt="blue", stream=True, partial_images=1)
    assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


async def test_an_edit_as_json(api: openai.AsyncOpenAI, client: httpx.AsyncClient, script: ImageScript) -> None:
    photo = picture()
    file = await api.files.create(file=("cup.png", photo), purpose="vision")
    url = "data:image/png;base64," + base64.b64encode(photo).decode()
    mask = "data:image/png;base64," + base64.b64encode(picture((0, 0, 0, 0), mode="RGBA")).decode()
    body = {"prompt": "blue", "images": [{"file_id": file.id}, {"image_url": url}], "mask": {"image_url": mask}, "n": 2}
    answer = await client.post("/v1/images/edits", json=body)
    assert answer.status_code == 200 and len(answer.json()["data"]) == 2
    _, fields, files = script.seen[-1]
    assert "images" not in fields and [data for name, _, _, data in files if name != "mask"] == [photo, photo]
    for wrong, param in [
        ({"images": [{"file_id": "file-none"}]}, "images[0].file_id"),
        ({"images": [{"image_url": "data:image/png;base64,???"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "http://127.0.0.1:1/x.png"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "file:///etc/passwd"}]}, "images[0].image_url"),
        ({"images": []}, "images"),
        ({"images": [{}]}, "images[0]"),
        ({"images": [{"file_id": "a", "image_url": "b"}]}, "images[0]"),
        ({"images": [{"image_url": url}], "mask": {"image_url": url}}, "mask"),
    ]:
        refused = await client.post("/v1/images/edits", json={"prompt": "x", **wrong})
        check_error(refused, 404 if "none" in str(wrong) else 400, param)
    assert len(script.seen) == 1


async def test_a_variation(api: openai.AsyncOpenAI, client: httpx.AsyncClient, script: ImageScript) -> None:
    with pytest.warns(DeprecationWarning):
        asked = api.images.create_variation(image=("cup.png", picture()), n=2, size="256x256")
    if script.provider == "openai":
        with pytest.raises(openai.BadRequestError, match="edits") as refused:
            await asked
        assert refused.value.code == "unsupported_by_provider" and not script.seen
        return
    answer = await asked
    assert answer.data and len(answer.data) == 2
    path, fields, files = script.seen[-1]
    assert (path, fields["n"], fields["size"]) == ("variations", "2", "256x256") and len(files) == 1


IHDR = b"IHDR" + (40_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\r" + IHDR + zlib.crc32(IHDR).to_bytes(4) + b"\0\0\0\0IDAT"
TWO = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]


def animated() -> bytes:
    out = io.BytesIO()
    TWO[0].save(out, "WEBP", save_all=True, append_images=TWO[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"no picture", 400),
        (picture()[:40], 400),
        (HUGE, 413),
        (animated(), 400),
        (b"PK\x03\x04" + b"\0" * 100, 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 400),
    ],
    ids=["empty", "text", "cut", "huge", "animated", "zip", "svg"],
)
async def test_hostile_pictures_never_reach_the_provider(
    client: httpx.AsyncClient, script: ImageScript, data: bytes, status: int
) -> None:
    for path in ("edits", "variations"):
        files = {"image": ("cup.png", data, "image/png")}
        check_error(await client.post(f"/v1/images/{path}", data=CUP, files=files), status, "image")
    assert not script.seen


@pytest.mark.parametrize(
    ("how", "size"),
    [
        ({"mode": "CMYK", "kind": "JPEG", "color": 0}, (16, 12)),
        ({"kind": "GIF", "mode": "P", "color": 0}, (16, 12)),
        (
            {"kind": "JPEG", "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
            (12, 16),
        ),
    ],
    ids=["cmyk", "gif", "turned"],
)
async def test_unusual_pictures_are_made_usual(
    client: httpx.AsyncClient, script: ImageScript, how: dict[str, Any], size: tuple[int, int]
) -> None:
    files = {"image": ("cup.jpg", picture(**how), "image/jpeg")}
    assert (await client.post("/v1/images/edits", data=CUP, files=files)).status_code == 200
    ((_, _, kind, data),) = script.seen[-1][2]
    assert kind == "image/png" and Image.open(io.BytesIO(data)).size == size


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"n": 11}, "n"),
        ({"size": "12"}, "size"),
        ({"stream": True, "response_format": "url"}, "response_format"),
        ({"output_format": "bmp"}, "output_format"),
    ],
)
async def test_bad_fields(client: httpx.AsyncClient, script: ImageScript, fields: dict[str, Any], param: str) -> None:
    check_error(await client.post(GENERATE, json=CUP | fields), 400, param)
    assert not script.seen


@pytest.mark.parametrize(
    "field", [{"seed": 1}, {"steps": 4}, {"guidance": 3.0}, {"negative_prompt": "blur"}, {"style": "flat"}]
)
async def test_what_a_provider_cannot_do_is_refused_by_name(
    client: httpx.AsyncClient, script: ImageScript, field: dict[str, Any]
) -> None:
    answer = await client.post(GENERATE, json=CUP | field)
    if script.provider == "openai":
        check_error(answer, 400, next(iter(field)), "unsupported_by_provider")
        assert not script.seen
    else:
        assert answer.status_code == 200 and field.items() <= script.seen[-1][1].items()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ("bad field", 400, "too_hot"),
        ("busy", 429, "rate_limit_exceeded"),
        ("broken", 502, None),
        ("html", 502, "upstream_failed"),
        ("no picture", 502, "upstream_failed"),
    ],
)
async def test_the_upstreams_errors(
    client: httpx.AsyncClient, script: ImageScript, said: str, status: int, code: str | None, stream: bool
) -> None:
    script.always = said
    answer = await client.post(GENERATE, json=CUP | {"stream": stream})
    check_error(answer, status, "temperature" if said == "bad field" else None, code)


async def test_streams_that_fail(client: httpx.AsyncClient, script: ImageScript) -> None:
    asked = CUP | {"stream": True, "partial_images": 1}
    script.always = "error first"
    check_error(await client.post(GENERATE, json=asked), 507, None)
    for said, why in (("cut", "broke off"), ("error later", "lost")):
        script.always = said
        answer = await client.post(GENERATE, json=asked)
        assert answer.status_code == 200 and why in answer.text.split("\n\n")[-2]


async def test_a_client_that_leaves_stops_the_upstream(client: httpx.AsyncClient, script: ImageScript) -> None:
    """And what had begun is counted."""
    if script.provider == "openai":
        pytest.skip("respx answers whole")
    script.always = "silence"
    app: Any = client._transport
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not sent:
            sent.append(True)
            return {"type": "http.request", "body": body, "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if b"partial_image" in message.get("body", b""):
            left.set()

    sent: list[bool] = []
    body = json.dumps(CUP | {"stream": True, "partial_images": 1}).encode()
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": GENERATE, "query_string": b"", "headers": headers}
    await app.app({**scope, "http_version": "1.1", "scheme": "http", "server": ("gateway", 80)}, receive, send)
    for _ in range(100):
        if script.left:
            break
        await asyncio.sleep(0.02)
    assert script.left == 1
    assert (await client.get("/api/v1/usage")).json()["total"]["images"] == 1


async def test_few_hold_pictures_at_once(app: FastAPI, client: httpx.AsyncClient) -> None:
    files = {"image": ("cup.png", picture(), "image/png")}
    with app.state.picture_room.one():
        app.state.picture_room.most = 1
        for path in ("edits", "variations"):
            answer = await client.post(f"/v1/images/{path}", data=CUP, files=files)
            check_error(answer, 429, None, "overloaded")
            assert answer.headers["retry-after"] == "2"
        assert (await client.post(GENERATE, json=CUP)).status_code == 200
    for stream in ("false", "true"):
        answer = await client.post("/v1/images/edits", data=CUP | {"stream": stream}, files=files)
        assert answer.status_code == 200 and app.state.picture_room.inside == 0


class TestLimits:
    @pytest.fixture
    def more(self) -> dict[str, Any]:
        return {"limit": {"images": 3}}

    async def test_pictures_per_minute(self, client: httpx.AsyncClient) -> None:
        first = await client.post(GENERATE, json=CUP | {"n": 2})
        assert first.status_code == 200 and first.headers["x-ratelimit-limit-images"] == "3"
        assert (await client.post(GENERATE, json=CUP | {"n": 2})).status_code == 200  # one was left
        check_error(await client.post(GENERATE, json=CUP), 429, None, "rate_limit_exceeded")
        metrics = (await client.get("/metrics")).text
        assert "gateway_images_total{" in metrics and "} 4.0" in metrics


async def test_without_an_image_service_images_are_not_offered(tmp_path: Path) -> None:
    app = create_gateway(Settings(data_dir=tmp_path, modalities={"text": MODALITIES["text"](urls=("http://x",))}))
    async with asking(app) as client:
        check_error(await client.post(GENERATE, json=CUP), 400, None, "unsupported_by_provider")
