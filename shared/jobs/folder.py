"""A job's folder, DATA_DIR/jobs/<id>/, the only thing besides its row that service, worker and trainer share.

spec.json        what was asked, as in the row
training.jsonl   the uploaded file as it was then (a hard link); validation.jsonl likewise
attempt          the token of the attempt that may write here (shared.jobs.fence)
running          locked by a living child, with its host and process id
events.jsonl     metrics and messages of the trainer (shared.training.progress)
checkpoints/     <step>.pt, written whole or not at all
model/           what the trainer saved before it published it
result.json      {"model": name, "metrics": {…}, …}: the trainer has come to its end
log.txt          what the trainer printed, all attempts
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from shared.blobs import room_on_disk

EVENTS, RESULT, LOG, CHECKPOINTS = "events.jsonl", "result.json", "log.txt", "checkpoints"
TAIL_BYTES = 2000
ABANDONED_S = 3600.0


def home(data_dir: Path, id: str) -> Path:
    return data_dir / "jobs" / id


def create(data_dir: Path, id: str, spec: Mapping[str, Any], files: Mapping[str, Path]) -> Path:
    """The folder with `files` (name -> where the bytes are), on the disk before this returns. Raises StorageFull."""
    folder = home(data_dir, id)
    draft = folder.with_name(f".{id}")
    with room_on_disk():
        try:
            draft.mkdir(parents=True)
            for name, source in files.items():
                _link(source, draft / name)
            (draft / "spec.json").write_text(json.dumps(spec, indent=2) + "\n")
            sync(draft)
            draft.rename(folder)
            sync_entry(folder.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def settled(data_dir: Path) -> dict[str, Path]:
    """Id -> folder of those that are old enough to have a row by now; one without belonged to a killed request."""
    before = time.time() - ABANDONED_S
    found = (data_dir / "jobs").glob("*job-*")
    return {path.name.lstrip("."): path for path in found if path.stat().st_mtime < before}


def sync(folder: Path) -> None:
    """Files and entries of `folder`, on the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync_entry(path)


def sync_entry(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def checkpoints(folder: Path) -> dict[int, Path]:
    """Step -> file, oldest first."""
    return {int(path.stem): path for path in sorted((folder / CHECKPOINTS).glob("[0-9]*.pt"))}


def events(folder: Path) -> list[dict[str, Any]]:
    """The trainer's lines; one that a power cut tore is passed over, and one that is being written waits."""
    try:
        text = (folder / EVENTS).read_text(errors="replace")
    except FileNotFoundError:
        return []
    return [event for line in text.split("\n")[:-1] if (event := _object(line)) is not None]


def result(folder: Path) -> dict[str, Any] | None:
    try:
        return _object((folder / RESULT).read_text())
    except FileNotFoundError:
        return None


def log_tail(folder: Path, start: int) -> str:
    """The last TAIL_BYTES that were printed since byte `start`, without the paths of this machine."""
    with (folder / LOG).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return text.replace(f"{folder}{os.sep}", "").strip()


def _object(line: str) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
