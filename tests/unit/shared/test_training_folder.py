"""The end of a run: saved, checked, and only then published."""

import json
from pathlib import Path

import pytest

from shared import registry
from shared.errors import InvalidRequest, NotFound
from shared.training.folder import finish
from shared.training.plan import State
from shared.training.settings import TrainingArgs


def save(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}")


def end(tmp_path: Path, check) -> str:
    args = TrainingArgs(dataset=[tmp_path / "x"])
    return finish(args, tmp_path / "data", "m", tmp_path, State(step=3), save, {"service": "text"}, check)


def test_what_was_saved_is_checked_and_published(tmp_path):
    seen: list[list[str]] = []
    assert end(tmp_path, lambda folder: seen.append([path.name for path in folder.iterdir()])) == "m"
    assert seen == [["config.json"]]
    assert registry.resolve(tmp_path / "data", "m").card["metrics"]["step"] == 3
    assert json.loads((tmp_path / "result.json").read_text())["model"] == "m"


def test_what_fails_its_check_is_not_published(tmp_path):
    def check(folder: Path) -> None:
        raise InvalidRequest("the engine answers otherwise")

    with pytest.raises(InvalidRequest, match="answers otherwise"):
        end(tmp_path, check)
    with pytest.raises(NotFound):
        registry.resolve(tmp_path / "data", "m")
    assert (tmp_path / "model" / "config.json").is_file() and not (tmp_path / "result.json").exists()
