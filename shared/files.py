"""Uploaded and generated files: bytes in a local folder under their id, everything else in a SQLite row.

A file is there when its row is. A name is only metadata: it never becomes a path.
"""

import sqlite3
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO

from shared.blobs import Blobs, Draft, new_id
from shared.errors import NotFound
from shared.paging import Order, read_page

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    expires INTEGER
);
CREATE INDEX IF NOT EXISTS files_by_key ON files (key_id, number);
CREATE INDEX IF NOT EXISTS files_by_expiry ON files (expires);
"""
COLUMNS = "id, key_id, created, filename, purpose, size_bytes, media_type, expires"
UNEXPIRED = " AND (expires IS NULL OR expires > ?)"
LIVE = f"key_id = ?{UNEXPIRED}"


@dataclass(frozen=True)
class StoredFile:
    id: str
    key_id: str
    created: int
    """Unix seconds, as `expires`."""
    filename: str
    purpose: str
    size_bytes: int
    media_type: str
    expires: int | None


class FileStore:
    """Another key's files, and expired ones, are as if they were not there."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        """Also removes what killed uploads left behind."""
        self.db = db
        db.executescript(SCHEMA)
        self.blobs = Blobs(folder)
        self.blobs.clean({row[0] for row in db.execute("SELECT id FROM files")})

    def draft(self, limit_bytes: int, param: str = "file") -> Draft:
        """Where the bytes of a new file go; `put` keeps it."""
        return self.blobs.draft(limit_bytes, param)

    def put(
        self, key_id: str, draft: Draft, filename: str, purpose: str, media_type: str, expires_after_s: int | None
    ) -> StoredFile:
        """Keep a sealed draft; a crash in between leaves nothing that counts."""
        now = int(time.time())
        expires = None if expires_after_s is None else now + expires_after_s
        file = StoredFile(new_id("file-"), key_id, now, filename, purpose, draft.size_bytes, media_type, expires)
        self.blobs.keep(draft, file.id)
        try:
            with self.db:
                self.db.execute(f"INSERT INTO files ({COLUMNS}) VALUES (?{', ?' * 7})", astuple(file))
        except BaseException:
            self.blobs.remove(file.id)
            raise
        return file

    def get(self, key_id: str, id: str, param: str = "file_id") -> StoredFile:
        """Raises NotFound on `param`."""
        query = f"SELECT {COLUMNS} FROM files WHERE {LIVE} AND id = ?"
        row = self.db.execute(query, (key_id, time.time(), id)).fetchone()
        if row is None:
            raise NotFound(f"no file {id[:80]!r}", code="file_not_found", param=param)
        return StoredFile(*row)

    def open(self, key_id: str, id: str) -> tuple[StoredFile, BinaryIO]:
        """The file and its bytes, which can be read to the end even if it is deleted meanwhile. Raises NotFound."""
        return (file := self.get(key_id, id)), self.blobs.open(file.id)

    def owner(self, id: str) -> str:
        """Whose file it is, for who was let in without a key. Raises NotFound."""
        row = self.db.execute("SELECT key_id FROM files WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NotFound(f"no file {id[:80]!r}", code="file_not_found", param="file_id")
        return row[0]

    def list(
        self, key_id: str, after: str | None, limit: int, order: Order, purpose: str | None = None
    ) -> tuple[list[StoredFile], bool]:
        """Up to `limit` files that follow `after`, and whether there are more."""
        where, values = UNEXPIRED, [time.time()]
        if purpose is not None:
            where, values = f"{where} AND purpose = ?", [*values, purpose]
        if after is not None:
            self.get(key_id, after, param="after")
        rows, more = read_page(self.db, "files", COLUMNS, ("key_id", key_id), after, limit, order, where, values)
        return [StoredFile(*row) for row in rows], more

    def delete(self, key_id: str, id: str) -> None:
        """The row first: nobody finds a file whose bytes are gone. Raises NotFound."""
        self._remove(self.get(key_id, id).id)

    def expire(self) -> None:
        """Remove what is past its time from the disk."""
        for (id,) in self.db.execute("SELECT id FROM files WHERE expires <= ?", (time.time(),)).fetchall():
            self._remove(id)

    def _remove(self, id: str) -> None:
        with self.db:
            self.db.execute("DELETE FROM files WHERE id = ?", (id,))
        self.blobs.remove(id)
