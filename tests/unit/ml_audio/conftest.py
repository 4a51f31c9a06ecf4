"""A service over tiny models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_audio.engine import Engine
from ml_audio.serve import create_service
from ml_audio.settings import AudioSettings
from ml_audio.sources import Sources
from tests.unit.ml_audio import tiny_models
from tests.unit.services import clients_of, engines_of, settings_of


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """save_model(name, family, seed, **config) -> the folder, under tmp_path."""

    def save(name: str = "tiny", family: str = "vits", seed: int = 0, **config: Any) -> Path:
        return tiny_models.save(family, tmp_path / name, seed, **config)

    return save


settings = settings_of(AudioSettings)
start = engines_of(Engine, Sources)
serve = clients_of(create_service, Sources)
