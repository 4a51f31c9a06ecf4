"""Tiny pipelines on disk, and engines over them."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ml_image.engine import Answer, Engine, Request
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared.settings import SharedSettings
from tests.unit.ml_image import pipelines


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """tiny(family) -> the folder of a tiny pipeline, made once."""
    made: dict[str, Path] = {}

    def get(family: str = "StableDiffusionPipeline") -> Path:
        if family not in made:
            made[family] = pipelines.save(tmp_path_factory.mktemp("models") / "tiny", family)
        return made[family]

    return get


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., ImageSettings]:
    def make(**fields: Any) -> ImageSettings:
        shared = SharedSettings(data_dir=tmp_path / "data", log_level="WARNING")
        return ImageSettings(_env_file=None, shared=shared, **fields)

    return make


@pytest.fixture
async def start(settings: Any) -> AsyncIterator[Callable[..., Engine]]:
    """start(folder, **settings) -> an engine whose default model is the one in `folder`."""
    async with contextlib.AsyncExitStack() as stack:

        def open_engine(folder: Path, **fields: Any) -> Engine:
            made = settings(**fields)
            sources = Sources(made)
            engine = Engine(made, sources, sources.fetch(str(folder)).name)
            stack.push_async_callback(engine.close)
            return engine

        yield open_engine


async def paint(engine: Engine, request: Request) -> list[Any]:
    """The finished pictures, in order."""
    async with engine.open(request) as answer:
        return await finished(answer)


async def finished(answer: Answer) -> list[Any]:
    found = {shown.index: shown.picture async for shown in answer if shown.preview is None}
    return [found[index] for index in range(len(answer.seeds))]
