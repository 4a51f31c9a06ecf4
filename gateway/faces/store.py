"""Faces that were uploaded: the cut-out person as a PNG under its id, the rest in a SQLite row.

A face is there when its row is. The photo it came from is not kept, nor its name; no pixel goes into the database, so
that a deleted face leaves no page of it behind.
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
CREATE TABLE IF NOT EXISTS faces (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    face_left REAL NOT NULL,
    face_top REAL NOT NULL,
    face_width REAL NOT NULL,
    face_height REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS faces_by_key ON faces (key_id, number);
"""
COLUMNS = "id, key_id, created, size_bytes, width, height, face_left, face_top, face_width, face_height"


@dataclass(frozen=True)
class StoredFace:
    id: str
    key_id: str
    created: int
    """Unix seconds."""
    size_bytes: int
    width: int
    """Of the cut-out, in px, as all that follow."""
    height: int
    face_left: float
    face_top: float
    face_width: float
    face_height: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, width, height) of the face, brows to chin."""
        return self.face_left, self.face_top, self.face_width, self.face_height


class FaceStore:
    """Another key's faces are as if they were not there."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        """Also removes what killed requests left behind."""
        self.db = db
        db.executescript(SCHEMA)
        self.blobs = Blobs(folder)
        self.blobs.clean({row[0] for row in db.execute("SELECT id FROM faces")})

    def draft(self, limit_bytes: int, param: str = "image") -> Draft:
        """Where a photo or a cut-out lies until it is used or kept."""
        return self.blobs.draft(limit_bytes, param)

    def put(
        self, key_id: str, draft: Draft, width: int, height: int, box: tuple[float, float, float, float]
    ) -> StoredFace:
        """Keep a sealed draft; a crash in between leaves nothing that counts."""
        face = StoredFace(new_id("face_"), key_id, int(time.time()), draft.size_bytes, width, height, *box)
        self.blobs.keep(draft, face.id)
        try:
            with self.db:
                self.db.execute(f"INSERT INTO faces ({COLUMNS}) VALUES (?{', ?' * 9})", astuple(face))
        except BaseException:
            self.blobs.remove(face.id)
            raise
        return face

    def get(self, key_id: str, id: str, param: str = "face_id") -> StoredFace:
        """Raises NotFound on `param`."""
        row = self.db.execute(f"SELECT {COLUMNS} FROM faces WHERE key_id = ? AND id = ?", (key_id, id)).fetchone()
        if row is None:
            raise _nobody(id, param)
        return StoredFace(*row)

    def open(self, key_id: str, id: str) -> tuple[StoredFace, BinaryIO]:
        """The face and its cut-out, which can be read to the end even if it is deleted meanwhile. Raises NotFound."""
        face = self.get(key_id, id)
        try:
            return face, self.blobs.open(face.id)
        except FileNotFoundError:  # deleted in between, by another process or before the power failed
            raise _nobody(id, "face_id") from None

    def list(self, key_id: str, after: str | None, limit: int, order: Order) -> tuple[list[StoredFace], bool]:
        """Up to `limit` faces that follow `after`, and whether there are more."""
        if after is not None:
            self.get(key_id, after, param="after")
        rows, more = read_page(self.db, "faces", COLUMNS, ("key_id", key_id), after, limit, order)
        return [StoredFace(*row) for row in rows], more

    def delete(self, key_id: str, id: str) -> None:
        """The row first; a crash in between leaves a file that the next start removes. Raises NotFound."""
        face = self.get(key_id, id)
        with self.db:
            self.db.execute("DELETE FROM faces WHERE id = ?", (face.id,))
        self.blobs.remove(face.id)


def _nobody(id: str, param: str) -> NotFound:
    return NotFound(f"no face {id[:80]!r}", code="face_not_found", param=param)
