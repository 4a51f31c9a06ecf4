"""Tiny pipelines on disk, and engines over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_image.engine import Answer, Engine, Request
from ml_image.serve import create_service
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from tests.unit.ml_image import pipelines
from tests.unit.services import clients_of, engines_of, settings_of


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """tiny(family) -> the folder of a tiny pipeline, made once."""
    made: dict[str, Path] = {}

    def get(family: str = "StableDiffusionPipeline") -> Path:
        if family not in made:
            made[family] = pipelines.save(tmp_path_factory.mktemp("models") / "tiny", family)
        return made[family]

    return get


settings = settings_of(ImageSettings)
start = engines_of(Engine, Sources)
serve = clients_of(create_service, Sources)


async def paint(engine: Engine, request: Request) -> list[Any]:
    """The finished pictures, in order."""
    async with engine.open(request) as answer:
        return await finished(answer)


async def finished(answer: Answer) -> list[Any]:
    found = {shown.index: shown.picture async for shown in answer if shown.preview is None}
    return [found[index] for index in range(len(answer.seeds))]
