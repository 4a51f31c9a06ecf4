"""Responses that were asked for with `store` (the default): kept in SQLite for their key."""

import json
import sqlite3
from typing import Any, cast

from shared.errors import NotFound

Json = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL,
    response TEXT NOT NULL,
    items TEXT NOT NULL,
    messages TEXT NOT NULL
);
"""


class ResponseStore:
    """Another key's responses are as if they were not there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def add(self, key_id: str, response: Json, items: list[Json], messages: list[Json]) -> None:
        """`items` are the input's, `messages` the whole chat up to the answer, without instructions."""
        row = (response["id"], key_id, json.dumps(response), json.dumps(items), json.dumps(messages))
        with self.db:
            self.db.execute("INSERT INTO responses VALUES (?, ?, ?, ?, ?)", row)

    def get(self, key_id: str, id: str) -> Json:
        """Raises NotFound, as all below."""
        return self._column(key_id, id, "response", "response_id")

    def items(self, key_id: str, id: str) -> list[Json]:
        return self._column(key_id, id, "items", "response_id")

    def messages(self, key_id: str, id: str) -> list[Json]:
        return self._column(key_id, id, "messages", "previous_response_id")

    def delete(self, key_id: str, id: str) -> None:
        with self.db:
            gone = self.db.execute("DELETE FROM responses WHERE key_id = ? AND id = ?", (key_id, id)).rowcount
        if not gone:
            raise _unknown(id, "response_id")

    def _column(self, key_id: str, id: str, column: str, param: str) -> Any:
        query = f"SELECT {column} FROM responses WHERE key_id = ? AND id = ?"
        row = cast(tuple[str] | None, self.db.execute(query, (key_id, id)).fetchone())
        if row is None:
            raise _unknown(id, param)
        return json.loads(row[0])


def _unknown(id: str, param: str) -> NotFound:
    return NotFound(f"there is no response {id[:80]!r}", code="response_not_found", param=param)
