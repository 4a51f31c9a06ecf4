"""A service over tiny models."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ml_audio.engine import Engine
from ml_audio.serve import create_service
from ml_audio.settings import AudioSettings
from ml_audio.sources import Sources
from shared.settings import SharedSettings
from tests.unit.ml_audio import tiny_models


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """save_model(name, family, seed, **config) -> the folder, under tmp_path."""

    def save(name: str = "tiny", family: str = "vits", seed: int = 0, **config: Any) -> Path:
        return tiny_models.save(family, tmp_path / name, seed, **config)

    return save


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., AudioSettings]:
    def make(**fields: Any) -> AudioSettings:
        shared = SharedSettings(data_dir=tmp_path / "data", log_level="WARNING")
        return AudioSettings(_env_file=None, shared=shared, **fields)

    return make


@pytest.fixture
async def start(settings: Any) -> AsyncIterator[Callable[..., Engine]]:
    """start(folder, **settings) -> an engine whose voice is the one in `folder`."""
    async with contextlib.AsyncExitStack() as stack:

        def open_engine(folder: Path, **fields: Any) -> Engine:
            made = settings(**fields)
            sources = Sources(made)
            engine = Engine(made, sources, sources.fetch(str(folder)).name)
            stack.push_async_callback(engine.close)
            return engine

        yield open_engine


@pytest.fixture
def serve(settings: Any) -> Iterator[Callable[..., TestClient]]:
    """serve(*folders, **settings) -> a client of a ready service that has these models; the first speaks by default."""
    with contextlib.ExitStack() as stack:

        def start_service(*folders: Path, **fields: Any) -> TestClient:
            made = settings(**fields)
            sources = Sources(made)
            names = [sources.fetch(str(folder)).name for folder in folders]
            client = stack.enter_context(TestClient(create_service(made, sources, names[0])))
            deadline = time.monotonic() + 120
            while client.get("/ready").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            return client

        yield start_service
