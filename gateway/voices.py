"""Whose the voices are that were made through the gateway: a provider keeps them, and knows no keys of ours."""

import sqlite3
from typing import Any

from shared.errors import NotFound

SCHEMA = "CREATE TABLE IF NOT EXISTS voices (id TEXT PRIMARY KEY, key_id TEXT NOT NULL) WITHOUT ROWID"


class VoiceOwners:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        with db:
            db.execute(SCHEMA)

    def add(self, id: str, key_id: str) -> None:
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO voices VALUES (?, ?)", (id, key_id))

    def remove(self, id: str) -> None:
        with self.db:
            self.db.execute("DELETE FROM voices WHERE id = ?", (id,))

    def check(self, id: object, key_id: str) -> None:
        """Raises NotFound for another key's voice."""
        row = (
            self.db.execute("SELECT key_id FROM voices WHERE id = ?", (id,)).fetchone() if isinstance(id, str) else None
        )
        if row is not None and row[0] != key_id:
            raise NotFound(f"no voice {str(id)[:80]!r}", code="voice_not_found", param="voice")

    def visible(self, voices: list[dict[str, Any]], key_id: str) -> list[dict[str, Any]]:
        """Without other keys' voices."""
        owners = dict(self.db.execute("SELECT id, key_id FROM voices").fetchall())
        return [voice for voice in voices if owners.get(voice.get("id"), key_id) == key_id]
