"""Uploads in parts: the parts lie in a folder of their own until `complete` makes one file of them."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from shared.blobs import Blobs, Draft, new_id
from shared.errors import InvalidRequest, NotFound, TooLarge
from shared.files import FileStore, StoredFile
from shared.jsonl import check_jsonl
from shared.wire.files import LINES

SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    expires_after_s INTEGER,
    status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS upload_parts (
    id TEXT PRIMARY KEY,
    upload_id TEXT NOT NULL REFERENCES uploads (id),
    created INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS upload_parts_by_upload ON upload_parts (upload_id);
"""
COLUMNS = "id, key_id, created, expires, filename, purpose, size_bytes, media_type, expires_after_s, status"
LIFETIME_S = 3600
PART_LIMIT_BYTES = 64 << 20
COPY_BYTES = 1 << 20
Status = Literal["pending", "completed", "cancelled", "expired"]


@dataclass(frozen=True)
class Upload:
    id: str
    key_id: str
    created: int
    """Unix seconds, as `expires`."""
    expires: int
    filename: str
    purpose: str
    size_bytes: int
    media_type: str
    expires_after_s: int | None
    """Of the file that it becomes."""
    status: Status


class UploadStore:
    """Another key's uploads are as if they were not there."""

    def __init__(self, folder: Path, db: sqlite3.Connection, files: FileStore) -> None:
        """Also removes what killed requests left behind."""
        self.db = db
        self.files = files
        db.executescript(SCHEMA)
        self.blobs = Blobs(folder)
        self.blobs.clean({row[0] for row in db.execute("SELECT id FROM upload_parts")})

    def create(
        self, key_id: str, filename: str, purpose: str, size_bytes: int, media_type: str, expires_after_s: int | None
    ) -> Upload:
        now = int(time.time())
        told = (filename, purpose, size_bytes, media_type, expires_after_s)
        upload = Upload(new_id("upload_"), key_id, now, now + LIFETIME_S, *told, "pending")
        with self.db:
            self.db.execute(f"INSERT INTO uploads ({COLUMNS}) VALUES (?{', ?' * 9})", astuple(upload))
        return upload

    def pending(self, key_id: str, id: str) -> Upload:
        """Raises NotFound, or InvalidRequest when it has come to its end."""
        query = f"SELECT {COLUMNS} FROM uploads WHERE key_id = ? AND id = ?"
        row = self.db.execute(query, (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"no upload {id[:80]!r}", code="upload_not_found", param="upload_id")
        upload = Upload(*row)
        status = "expired" if upload.status == "pending" and upload.expires <= time.time() else upload.status
        if status != "pending":
            raise InvalidRequest(f"the upload is {status}", param="upload_id", code=f"upload_{status}")
        return upload

    def draft(self) -> Draft:
        """Where the bytes of a part go."""
        return self.blobs.draft(PART_LIMIT_BYTES, "data")

    def add(self, key_id: str, upload_id: str, draft: Draft) -> tuple[str, int]:
        """Keep a sealed draft as a part: its id and when. Raises TooLarge when the parts are more than the file."""
        upload = self.pending(key_id, upload_id)
        if self._received(upload.id) + draft.size_bytes > upload.size_bytes:
            raise TooLarge(f"the parts are more than the {upload.size_bytes} bytes that were announced", param="data")
        id, now = new_id("part_"), int(time.time())
        self.blobs.keep(draft, id)
        try:
            with self.db:
                self.db.execute("INSERT INTO upload_parts VALUES (?, ?, ?, ?)", (id, upload.id, now, draft.size_bytes))
        except BaseException:
            self.blobs.remove(id)
            raise
        return id, now

    def check_parts(self, upload: Upload, part_ids: Sequence[str]) -> None:
        """Raises InvalidRequest on `part_ids` unless they are this upload's, each once, and as long as the file."""
        query = "SELECT id, size_bytes FROM upload_parts WHERE upload_id = ?"
        sizes: dict[str, int] = dict(self.db.execute(query, (upload.id,)).fetchall())
        for i, id in enumerate(part_ids):
            if id not in sizes:
                raise InvalidRequest(f"the upload has no part {id[:80]!r}", param=f"part_ids[{i}]")
        if len(set(part_ids)) < len(part_ids):
            raise InvalidRequest("a part is named twice", param="part_ids")
        total = sum(sizes[id] for id in part_ids)
        if total != upload.size_bytes:
            raise InvalidRequest(
                f"the parts have {total} bytes, announced were {upload.size_bytes}", param="part_ids", code="wrong_size"
            )

    def assemble(self, upload: Upload, part_ids: Sequence[str], md5: str | None, draft: Draft) -> None:
        """Write the parts into `draft` and seal it. Slow, for a thread; InvalidRequest when the content is wrong."""
        for id in part_ids:
            try:
                part = self.blobs.open(id)
            except FileNotFoundError:  # a cancellation came in between
                raise InvalidRequest("the upload is no longer pending", param="upload_id") from None
            with part:
                while data := part.read(COPY_BYTES):
                    draft.write(data)
        if md5 is not None and md5.lower() != draft.md5.hexdigest():
            raise InvalidRequest(f"the md5 of the bytes is {draft.md5.hexdigest()}", param="md5", code="wrong_md5")
        draft.seal()
        if upload.purpose in LINES:
            with draft.path.open("rb") as file:
                check_jsonl(file, "part_ids")

    def complete(self, upload: Upload, draft: Draft) -> StoredFile:
        """The file; InvalidRequest when another request ended the upload meanwhile."""
        self.pending(upload.key_id, upload.id)
        told = (upload.filename, upload.purpose, upload.media_type, upload.expires_after_s)
        file = self.files.put(upload.key_id, draft, *told)
        self._end(upload.id, "completed")
        return file

    def cancel(self, upload: Upload) -> None:
        self._end(upload.id, "cancelled")

    def expire(self) -> None:
        """End what was not completed in time, and remove its parts."""
        query = "SELECT id FROM uploads WHERE status = 'pending' AND expires <= ?"
        for (id,) in self.db.execute(query, (time.time(),)).fetchall():
            self._end(id, "expired")

    def _received(self, id: str) -> int:
        query = "SELECT COALESCE(SUM(size_bytes), 0) FROM upload_parts WHERE upload_id = ?"
        return self.db.execute(query, (id,)).fetchone()[0]

    def _end(self, id: str, status: Status) -> None:
        parts = self.db.execute("SELECT id FROM upload_parts WHERE upload_id = ?", (id,)).fetchall()
        with self.db:
            self.db.execute("UPDATE uploads SET status = ? WHERE id = ?", (status, id))
            self.db.execute("DELETE FROM upload_parts WHERE upload_id = ?", (id,))
        for (part_id,) in parts:
            self.blobs.remove(part_id)
