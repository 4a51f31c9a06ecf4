"""OpenAI's own client, a gateway as a process, and behind it once OpenAI (a local fake) and once a service of ours."""

import base64
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from gateway.client import UnifiedAI
from tests.contract.test_production import gateway_process
from tests.contract.upstream_images import picture
from tests.fakes.process import openai_server

MODELS = {"custom": "starter-image", "openai": "gpt-image-1-mini"}


@pytest.fixture(scope="module", params=sorted(MODELS))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def url(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with openai_server(*(["--service"] if provider == "custom" else [])) as upstream:
        env = {"MODEL_PROVIDER": provider, "OPENAI_API_KEY": "sk-fake", "OPENAI_BASE_URL": f"{upstream}/v1"}
        env |= {"ML_TEXT_URL": upstream, "ML_IMAGE_URL": upstream, "MODEL_IMAGE": MODELS[provider]}
        with gateway_process(tmp_path_factory.mktemp("data"), **env) as gateway:
            yield gateway.url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, _strict_response_validation=True) as client:
        yield client


def opened(data: str | bytes | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data) if isinstance(data, str) else data or b""))


def test_generate(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a red cup", n=2, size="512x256")
    assert answer.data and [opened(image.b64_json).size for image in answer.data] == [(512, 256)] * 2
    assert answer.usage and answer.size == "512x256" and answer.output_format == "png"
    jpeg = client.images.generate(prompt="a red cup", size="256x256", output_format="jpeg", quality="low")
    assert jpeg.data and opened(jpeg.data[0].b64_json).format == "JPEG"


def test_generate_with_an_address(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a red cup", size="256x256", response_format="url")
    assert answer.data and answer.data[0].url
    found = httpx.get(answer.data[0].url)
    assert found.status_code == 200 and opened(found.content).size == (256, 256)


def test_generate_as_a_stream(client: openai.OpenAI) -> None:
    events = list(client.images.generate(prompt="a red cup", size="256x256", stream=True, partial_images=2))
    assert [event.type.split(".")[1] for event in events] == ["partial_image", "partial_image", "completed"]
    assert {opened(event.b64_json).size for event in events} == {(256, 256)}


def test_edit(client: openai.OpenAI, url: str) -> None:
    photo = picture(size=(64, 48))
    mask = picture((0, 0, 0, 0), size=(64, 48), mode="RGBA")
    for image in (("a.png", photo), [("a.png", photo)], [("a.png", photo), ("b.png", photo)]):
        answer = client.images.edit(image=image, mask=("m.png", mask), prompt="make it blue")
        assert answer.data and opened(answer.data[0].b64_json).size == (64, 48)
    bare = client.images.edit(image=photo, prompt="make it blue")
    assert bare.data
    events = list(client.images.edit(image=("a.png", photo), prompt="blue", stream=True))
    assert [event.type for event in events] == ["image_edit.completed"]
    file = client.files.create(file=("a.png", photo), purpose="vision")
    body = {"prompt": "blue", "images": [{"file_id": file.id}]}
    assert httpx.post(f"{url}/v1/images/edits", json=body).status_code == 200
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(image=("a.png", b"nothing"), prompt="x")
    assert refused.value.param == "image"


def test_vary(client: openai.OpenAI, provider: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if provider == "openai":
            with pytest.raises(openai.BadRequestError) as refused:
                client.images.create_variation(image=picture())
            assert refused.value.code == "unsupported_by_provider"
            return
        answer = client.images.create_variation(image=picture(), n=2, size="256x256")
    assert answer.data and len(answer.data) == 2


def test_models(client: openai.OpenAI, provider: str) -> None:
    names = [model.id for model in client.models.list()]
    assert MODELS[provider] in names and len(set(names)) == len(names)
    assert ("starter" in names) == (provider == "custom")


def test_unified(url: str, tmp_path: Path) -> None:
    with UnifiedAI(url) as ai:
        image = ai.generate_image("a red cup", size="256x256")
        saved = ai.save_image(image, tmp_path / "new" / "cup.png")
    assert opened(saved.read_bytes()).size == (256, 256)
    assert [path.name for path in saved.parent.iterdir()] == ["cup.png"]


def test_what_openai_cannot_do(client: openai.OpenAI, provider: str) -> None:
    more: Any = {"seed": 7}
    if provider == "custom":
        assert client.images.generate(prompt="a cup", size="64x64", extra_body=more).data
        return
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(prompt="a cup", size="64x64", extra_body=more)
    assert (refused.value.code, refused.value.param) == ("unsupported_by_provider", "seed")
