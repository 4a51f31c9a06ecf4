from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from gateway.main import create_gateway
from gateway.model_adapter import PROVIDERS
from gateway.settings import Settings
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
def app(provider: str, script: Script, tmp_path: Path, more: dict[str, Any]) -> Iterator[FastAPI]:
    with ExitStack() as stack:
        url = stack.enter_context(serving(service(script))) if provider == "custom" else ""
        settings = Settings(
            data_dir=tmp_path,
            model_provider=provider,
            ml_text_url=(url,) if url else (),
            openai_api_key=SecretStr(KEY),
            openai_base_url="https://api.openai.test/v1",
            model_text=MODELS[provider],
            **{"upstream_timeout_s": 0.4, **more},
        )
        transport = httpx.MockTransport(router(script).async_handler) if provider == "openai" else None
        yield create_gateway(settings, transport)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=20)
    async with client, app.router.lifespan_context(app):
        yield client
