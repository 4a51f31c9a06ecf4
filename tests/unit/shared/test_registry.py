"""Versions: atomic to publish, served by one pointer, rolled back, deleted, collected; nothing half after a crash."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shared import registry
from shared.errors import InvalidRequest, NotFound, StorageFull
from shared.registry import __main__ as command
from shared.registry import pointer, store

CARD = {"service": "text"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "config.json").write_text("{}")
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def publish(data: Path, folder: Path, name: str = "ads", **card: Any) -> registry.Version:
    return registry.publish(data, name, folder, {**CARD, **card})


def numbers(data: Path, name: str = "ads") -> list[int | None]:
    return [version.number for version in registry.versions(data, name)]


def test_names_resolve_with_and_without_a_version(data: Path, folder: Path) -> None:
    name = "ft:gpt2:acme:ads"
    made = [publish(data, folder, name, trainer=str(i)) for i in range(3)]
    assert registry.resolve(data, name) == made[2]
    for wanted in (f"{name}:2", f"{name}:{made[1].version}", made[1].id):
        found = registry.resolve(data, wanted)
        assert (found.version, found.card["trainer"], found.served) == (made[1].version, "1", False)
    for wrong in (f"{name}:4", f"{name}:", "ft:gpt2", "../ads", f"{name}:1-000000", "", ":1"):
        with pytest.raises(NotFound):
            registry.resolve(data, wrong)
    with pytest.raises(InvalidRequest, match="would read as version 3"):
        publish(data, folder, f"{name}:3")


def test_promote_and_roll_back_walk_through_what_was_served(data: Path, folder: Path) -> None:
    for _ in range(3):
        publish(data, folder)
    assert registry.promote(data, "ads", "1").served
    assert registry.resolve(data, "ads").number == 1
    assert [registry.roll_back(data, "ads").number for _ in range(2)] == [3, 2]
    with pytest.raises(InvalidRequest, match="nothing was served"):
        registry.roll_back(data, "ads")
    with pytest.raises(NotFound) as missing:
        registry.promote(data, "ads", "9")
    assert missing.value.param == "version"


def test_a_number_is_never_given_twice(data: Path, folder: Path) -> None:
    publish(data, folder)
    second = publish(data, folder)
    registry.roll_back(data, "ads")
    registry.remove_version(data, "ads", "2")
    assert not second.path.exists() and numbers(data) == [1]
    assert publish(data, folder).number == 3
    registry.remove(data, "ads")
    assert publish(data, folder).path != second.path, "a cache must not take a new model for an old one"


def test_the_served_version_and_a_needed_base_stay(data: Path, folder: Path) -> None:
    first, second = publish(data, folder, "house"), publish(data, folder, "house")
    adapter = publish(data, folder, "voice", base="house:1")
    assert adapter.base == f"house:{first.version}"
    with pytest.raises(InvalidRequest, match="is what house serves"):
        registry.delete(data, second.id)
    for name in ("house:1", "house"):
        with pytest.raises(InvalidRequest, match="base of voice:1"):
            registry.delete(data, name)
    registry.delete(data, "voice")
    registry.delete(data, "house:1")
    assert numbers(data, "house") == [2]


def test_collect_keeps_served_last_and_living_bases(data: Path, folder: Path) -> None:
    for _ in range(6):
        publish(data, folder, "house")
    for base in ("house:1", "house:2", "house:2"):  # only the last two are kept, so only 2 is needed
        publish(data, folder, "voice", base=base)
    registry.promote(data, "house", "3")
    would = registry.collect(data, keep=2, dry_run=True)
    assert numbers(data, "house") == [1, 2, 3, 4, 5, 6]
    assert {each.id for each in registry.collect(data, keep=2)} == {each.id for each in would}
    assert numbers(data, "house") == [2, 3, 5, 6] and numbers(data, "voice") == [2, 3]
    assert registry.roll_back(data, "house").number == 6, "what was collected is no longer in the history"


def test_a_full_disk_leaves_nothing_half(data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(data, folder)
    before = sorted(data.rglob("*"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place, name in ((shutil, "copytree"), (pointer, "write_synced"), (pointer, "write")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, full)
            with pytest.raises(StorageFull):
                publish(data, folder)
        assert sorted(data.rglob("*")) == before and registry.resolve(data, "ads").number == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from shared import registry
from shared.registry import pointer, store
place = {"pointer": pointer, "store": store}[sys.argv[3]]
setattr(place, sys.argv[4], lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
registry.publish(Path(sys.argv[1]), "ads", Path(sys.argv[2]), {"service": "text"})
"""


@pytest.mark.parametrize("step", ["pointer sync", "pointer writing", "pointer write_synced", "pointer write"])
def test_a_killed_publisher_leaves_the_old_version_served(data: Path, folder: Path, step: str) -> None:
    publish(data, folder)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(data), str(folder), *step.split()])
    assert killed.returncode == -signal.SIGKILL
    assert registry.resolve(data, "ads").number == 1 and numbers(data) == [1]
    with pytest.raises(NotFound):
        registry.resolve(data, "ads:2")
    for path in (data / "models" / pointer.DRAFTS).iterdir():
        os.utime(path, (0, 0))
    registry.collect(data)
    assert not list((data / "models" / pointer.DRAFTS).iterdir())
    assert len(store._folders(data / "models" / "ads")) == 1  # pyright: ignore[reportPrivateUsage]


def test_a_draft_that_is_being_written_is_not_collected(data: Path) -> None:
    with pointer.draft_folder(data / "models") as draft:
        os.utime(draft, (0, 0))
        registry.collect(data)
        assert draft.exists()


def test_many_publishers_at_once(data: Path, folder: Path) -> None:
    made: list[registry.Version] = []
    threads = [threading.Thread(target=lambda: made.append(publish(data, folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version.number or 0 for version in made) == numbers(data) == [*range(1, 9)]
    assert registry.resolve(data, "ads").number == 8


def test_what_was_published_before_versions_had_numbers(data: Path, folder: Path) -> None:
    home = data / "models" / "ads"
    old = home / "20261124-101112-ab12cd"
    shutil.copytree(folder, old)
    (old / registry.CARD).write_text(json.dumps({**CARD, "created": 5, "name": "ads", "version": old.name}))
    (home / "current").write_text(old.name)
    assert registry.resolve(data, "ads").path == old
    assert publish(data, folder).number == 1
    assert numbers(data) == [None, 1]
    assert registry.roll_back(data, "ads").id == f"ads:{old.name}"
    assert registry.resolve(data, f"ads:{old.name}").path == old


def test_the_command_line(data: Path, folder: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("DATA_DIR", str(data))
    for _ in range(2):
        publish(data, folder, trainer="lora", metrics={"loss": 1.5, "seconds": 2.0})
    assert command.main(["list"]) == 0
    assert "* ads:2" in (listed := capsys.readouterr().out) and "lora loss 1.5000" in listed
    assert command.main(["rollback", "ads"]) == 0
    assert command.main(["show", "ads"]) == 0
    assert [line[:7] for line in capsys.readouterr().out.splitlines()] == ["* ads:1", "* ads:1", "  ads:2"]
    assert command.main(["show", "ads:2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration_s"] == 2.0
    assert command.main(["promote", "ads"]) == 1 and "name the version too" in capsys.readouterr().err
    assert command.main(["promote", "ads:2"]) == 0
    assert command.main(["gc", "--keep", "1"]) == 0
    assert "ads:1 is deleted" in capsys.readouterr().out
    assert command.main(["delete", "ads"]) == 0 and command.main(["show", "ads"]) == 1
