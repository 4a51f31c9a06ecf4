import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from gateway.main import create_gateway
from gateway.providers import PROVIDERS
from gateway.settings import MODALITIES, Settings
from tests.contract.asking import asking
from tests.contract.upstream import KEY, MODELS, Script, router, service, serving


@pytest.fixture(params=sorted(name for name, row in PROVIDERS.items() if row.text))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def script(provider: str) -> Script:
    return Script(provider)


@pytest.fixture
def more() -> dict[str, Any]:
    """Settings that a test overrides by parametrization."""
    return {}


@pytest.fixture
def join() -> str:
    """The setting that puts the other provider beside the one under test; a file overrides it by parametrization."""
    return ""


@pytest.fixture
def other(provider: str) -> Script:
    """What the other provider does, where one stands beside."""
    return Script("openai" if provider == "custom" else "custom")


@pytest.fixture
def app(
    provider: str, script: Script, tmp_path: Path, more: dict[str, Any], join: str, other: Script
) -> Iterator[FastAPI]:
    if join:
        aliases = tmp_path / "both.json"
        aliases.write_text(json.dumps({MODELS["openai"]: {"custom": MODELS["custom"]}}))
        more = {"model_aliases": aliases, join: other.provider, "model_shadow_rate": 1.0} | more
    scripts = {script.provider: script} | ({other.provider: other} if join else {})
    with ExitStack() as stack:
        url = stack.enter_context(serving(service(scripts["custom"]))) if "custom" in scripts else ""
        text = {"urls": (url,) if url else (), "model": MODELS[provider]} | more.get("text", {})
        settings = Settings(
            modalities={"text": MODALITIES["text"](**text)},
            data_dir=tmp_path,
            model_provider=provider,
            openai_api_key=SecretStr(KEY),
            openai_base_url="https://api.openai.test/v1",
            **{"upstream_timeout_s": 0.4, **{name: value for name, value in more.items() if name != "text"}},
        )
        transport = httpx.MockTransport(router(scripts["openai"]).async_handler) if "openai" in scripts else None
        yield create_gateway(settings, transport)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(app) as client:
        yield client
