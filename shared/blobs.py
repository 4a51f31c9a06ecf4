"""Bytes by id in one local folder: written aside, synced, then named, so that what has a name is whole.

Whoever writes holds a lock on the file; a writer that was killed holds none, and what it left is found by that.
"""

import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from shared.errors import StorageFull, TooLarge

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room_on_disk() -> Generator[None]:
    """Translates a full disk into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull("the disk is full: delete files, or come back later") from error
        raise


class Draft:
    """Bytes on their way in; gone at the end of the `with` block unless `Blobs.keep` named them."""

    def __init__(self, path: Path, limit_bytes: int, param: str) -> None:
        self.path = path
        self.param = param
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        with room_on_disk():
            self.file: BinaryIO = path.open("xb")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def write(self, data: bytes) -> None:
        """Raises TooLarge on `param`, or StorageFull."""
        self.size_bytes += len(data)
        if self.size_bytes > self.limit_bytes:
            raise TooLarge(f"more than {self.limit_bytes} bytes", param=self.param, code="file_too_large")
        self.md5.update(data)
        with room_on_disk():
            self.file.write(data)

    def seal(self) -> None:
        """Have all of it on the disk. Raises StorageFull."""
        with room_on_disk():
            self.file.flush()
            os.fsync(self.file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.path.unlink(missing_ok=True)
        with room_on_disk():
            self.file.close()  # of a full disk: it still tries to write what is buffered


class Blobs:
    """One folder; an id is a name in it, made by `new_id` and never by a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def draft(self, limit_bytes: int, param: str) -> Draft:
        """`param` is the request's field that the bytes come in."""
        return Draft(self.folder / f".draft-{uuid.uuid4().hex}", limit_bytes, param)

    def keep(self, draft: Draft, id: str) -> None:
        """Give a sealed draft its name."""
        with room_on_disk():
            draft.path.rename(self.folder / id)
            _sync_folder(self.folder)

    def open(self, id: str) -> BinaryIO:
        """Whoever holds it open can read on after `remove`. Raises FileNotFoundError."""
        return (self.folder / id).open("rb")

    def remove(self, id: str) -> None:
        (self.folder / id).unlink(missing_ok=True)

    def clean(self, known: set[str]) -> None:
        """Remove what no row knows and nobody is writing: a killed upload's."""
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in known and not _being_written(path):
                path.unlink(missing_ok=True)


def new_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


def _being_written(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
