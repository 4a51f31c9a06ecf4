"""Chats of /api/v1/custom-ai in SQLite: per key a current model, and per session what was said.

Question and answer are one row, so that a chat is never half-written and two at once cannot interleave.
"""

import sqlite3
import time
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS custom_ai (key_id TEXT PRIMARY KEY, model TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    message TEXT NOT NULL,
    reply TEXT NOT NULL,
    tokens INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS exchanges_by_session ON exchanges (key_id, session_id, number);
"""


@dataclass(frozen=True)
class Exchange:
    number: int
    message: str
    reply: str
    tokens: int
    """What this exchange alone adds to the model's context."""

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.message}, {"role": "assistant", "content": self.reply}]


class SessionStore:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def model(self, key_id: str) -> str | None:
        """The model that this key's last `init_model` named."""
        row = self.db.execute("SELECT model FROM custom_ai WHERE key_id = ?", (key_id,)).fetchone()
        return row[0] if row else None

    def set_model(self, key_id: str, model: str) -> None:
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO custom_ai VALUES (?, ?)", (key_id, model))

    def history(self, key_id: str, session_id: str) -> list[Exchange]:
        """Oldest first; empty for a session that this key does not have."""
        query = (
            "SELECT number, message, reply, tokens FROM exchanges WHERE key_id = ? AND session_id = ? ORDER BY number"
        )
        return [Exchange(*row) for row in self.db.execute(query, (key_id, session_id))]

    def append(self, key_id: str, session_id: str, exchange: Exchange, oldest: int) -> None:
        """Add an exchange and let go of those before number `oldest`, which no longer fit the context."""
        values = (key_id, session_id, int(time.time()), exchange.message, exchange.reply, exchange.tokens)
        columns = "key_id, session_id, created, message, reply, tokens"
        where = "key_id = ? AND session_id = ? AND number < ?"
        with self.db:
            self.db.execute(f"INSERT INTO exchanges ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)
            self.db.execute(f"DELETE FROM exchanges WHERE {where}", (key_id, session_id, oldest))
