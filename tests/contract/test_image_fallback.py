"""MODEL_FALLBACK for images: the other provider makes them while the first is down or overloaded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.adapters.fallback import HEADER
from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from tests.contract.test_images import CUP, GENERATE
from tests.contract.upstream import KEY, serving
from tests.contract.upstream_images import IMAGE_MODELS, SHOWN, ImageScript


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
def app(provider: str, script: ImageScript, other: ImageScript, tmp_path: Path) -> Iterator[Any]:
    """Text stands there too: MODEL_FALLBACK is for both."""
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
            model_fallback=other.provider,
        )
        yield create_gateway(settings, httpx.MockTransport(both["openai"].router().async_handler))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_answers(
    client: httpx.AsyncClient, script: ImageScript, other: ImageScript, stream: bool
) -> None:
    script.always = "loading"
    for model in (None, SHOWN[script.provider]):
        answer = await client.post(GENERATE, json=CUP | {"stream": stream, "model": model})
        assert answer.status_code == 200 and answer.headers[HEADER] == other.provider, answer.text
        assert other.seen[-1][1]["model"] == IMAGE_MODELS[other.provider]


async def test_a_refusal_is_an_answer(client: httpx.AsyncClient, script: ImageScript, other: ImageScript) -> None:
    script.always = "bad field"
    assert (await client.post(GENERATE, json=CUP)).status_code == 400 and not other.seen
