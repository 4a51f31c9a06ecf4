"""An attempt that lost its job writes nothing more."""

from pathlib import Path

import pytest

from shared import registry
from shared.errors import NotFound
from shared.jobs import fence
from shared.training.folder import finish, prepare_folder
from shared.training.loop import State
from shared.training.progress import Progress
from shared.training.settings import TrainingArgs


def args(folder: Path, attempt: str | None) -> TrainingArgs:
    return TrainingArgs(dataset=[folder / "x"], output_dir=folder, attempt=attempt)


def test_only_the_holder_of_the_newest_token_may_write(tmp_path: Path):
    fence.put(tmp_path, "one")
    fence.check(tmp_path, "one")
    fence.put(tmp_path, "two")
    with pytest.raises(fence.Superseded):
        fence.check(tmp_path, "one")
    fence.check(tmp_path, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["attempt"]


def test_a_run_without_a_worker_needs_no_token(tmp_path: Path):
    fence.check(tmp_path, None)


def test_a_superseded_attempt_writes_no_event(tmp_path: Path):
    fence.put(tmp_path, "one")
    progress = Progress(tmp_path, 10, 0, attempt="one")
    progress.log(1.0, 0.1)
    fence.put(tmp_path, "two")
    with pytest.raises(fence.Superseded):
        progress.log(0.9, 0.1)
    progress.close()
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1


def test_a_superseded_attempt_clears_nothing(tmp_path: Path):
    fence.put(tmp_path, "two")
    (tmp_path / "events.jsonl").write_text("{}\n")
    with pytest.raises(fence.Superseded):
        prepare_folder(args(tmp_path, "one"), tmp_path / "data", "m")
    assert (tmp_path / "events.jsonl").is_file()


def test_a_superseded_attempt_publishes_nothing(tmp_path: Path):
    fence.put(tmp_path, "one")

    def save(folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        fence.put(tmp_path, "two")  # lost while the weights were being written

    with pytest.raises(fence.Superseded):
        finish(args(tmp_path, "one"), tmp_path / "data", "m", tmp_path, State(), save, {"service": "text"})
    with pytest.raises(NotFound):
        registry.resolve(tmp_path / "data", "m")
    assert not (tmp_path / "result.json").exists()
