"""The one file that says which version of a model is served: replaced by a rename, so a reader sees old or new."""

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POINTER = "current"
DRAFTS = ".drafts"
"""Beside the models: folders on their way in or out, each locked while its process lives."""


@dataclass(frozen=True)
class Pointer:
    version: str
    before: tuple[str, ...] = ()
    """What was served earlier, the latest first."""
    last: int = 0
    """The highest number that was ever published: a number is not given twice."""


def read(home: Path) -> Pointer | None:
    """None when nothing is served under this name."""
    try:
        text = (home / POINTER).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not text.startswith("{"):  # written before versions had numbers
        return Pointer(text.strip())
    found: dict[str, Any] = json.loads(text)
    return Pointer(found["version"], tuple(found["before"]), found["last"])


def write(home: Path, pointer: Pointer) -> None:
    """On the disk when it returns; on an error the old one is still there."""
    draft = home / f".{POINTER}-{uuid.uuid4().hex}"
    try:
        write_synced(draft, json.dumps(asdict(pointer)))
        draft.replace(home / POINTER)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(home)


@contextlib.contextmanager
def writing(models: Path) -> Generator[None]:
    """One writer at a time, whichever process it is in; a killed one lets go."""
    models.mkdir(parents=True, exist_ok=True)
    with (models / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def draft_folder(models: Path) -> Generator[Path]:
    """A new folder, locked while the block runs, for what is being copied in."""
    path = models / DRAFTS / uuid.uuid4().hex
    path.mkdir(parents=True)
    with locked(path):
        yield path


@contextlib.contextmanager
def locked(path: Path) -> Generator[bool]:
    """A lock on a folder for the block; False when another process has it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def write_synced(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync(folder: Path) -> None:
    """Have every file and folder below `folder` on the disk."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
