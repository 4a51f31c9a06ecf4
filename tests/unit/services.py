"""Fixtures that the tests of every service have, made for its settings, models and engine."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from shared.settings import ServiceSettings, SharedSettings
from shared.sources import Sources

READY_S = 120


def settings_in(data_dir: Path, read: type[ServiceSettings], **fields: Any) -> Any:
    """Of a service, whatever the machine's own `.env` says."""
    return read(_env_file=None, shared=SharedSettings(data_dir=data_dir, log_level="WARNING"), **fields)  # pyright: ignore[reportCallIssue]


def settings_of(read: type[ServiceSettings]) -> Any:
    @pytest.fixture
    def settings(tmp_path: Path) -> Callable[..., Any]:
        """settings(**fields) -> the service's, with a data folder under tmp_path."""

        def make(**fields: Any) -> Any:
            return settings_in(tmp_path / "data", read, **fields)

        return make

    return settings


def engines_of(engine: Callable[..., Any], sources: Callable[..., Sources]) -> Any:
    @pytest.fixture
    async def start(settings: Any) -> AsyncIterator[Callable[..., Any]]:
        """start(folder, **settings) -> an engine whose default model is the one in `folder`."""
        async with contextlib.AsyncExitStack() as stack:

            def open_engine(folder: Path, **fields: Any) -> Any:
                made = settings(**fields)
                found = sources(made)
                opened = engine(made, found, found.fetch(str(folder)).name)
                stack.push_async_callback(opened.close)
                return opened

            yield open_engine

    return start


def clients_of(create_service: Callable[..., FastAPI], sources: Callable[..., Sources]) -> Any:
    @pytest.fixture
    def serve(settings: Any) -> Iterator[Callable[..., TestClient]]:
        """serve(*folders, **settings) -> a client of a ready service of these models; the first is its default."""
        with contextlib.ExitStack() as stack:

            def start_service(*folders: Path, **fields: Any) -> TestClient:
                made = settings(**fields)
                found = sources(made)
                names = [found.fetch(str(folder)).name for folder in folders]
                return stack.enter_context(ready(create_service(made, found, names[0])))

            yield start_service

    return serve


@contextlib.contextmanager
def ready(app: FastAPI) -> Iterator[TestClient]:
    """A client of a service whose model is in memory."""
    with TestClient(app) as client:
        deadline = time.monotonic() + READY_S
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client
