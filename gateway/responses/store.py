"""Responses that were asked for with `store` (the default): kept in SQLite for their key, with their events."""

import json
import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any, cast

from gateway.responses.conversations import ConversationStore
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
CREATE TABLE IF NOT EXISTS response_events (id TEXT PRIMARY KEY, events BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS response_output (
    key_id TEXT NOT NULL,
    id TEXT NOT NULL,
    response_id TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (key_id, id)
);
CREATE INDEX IF NOT EXISTS response_output_by_response ON response_output (response_id);
CREATE TABLE IF NOT EXISTS running_responses (id TEXT PRIMARY KEY);
"""
END = b"\n\n"


class ResponseStore:
    """Another key's responses are as if they were not there."""

    def __init__(self, db: sqlite3.Connection, conversations: ConversationStore) -> None:
        self.db = db
        self.conversations = conversations
        db.executescript(SCHEMA)

    def begin(self, key_id: str, response: Json, items: list[Json], messages: list[Json]) -> None:
        """A response that runs in the background; `finish` follows, or the next start finds it in `unfinished`."""
        with self.db:
            self._put(key_id, response, items, messages)
            self.db.execute("INSERT INTO running_responses VALUES (?)", (response["id"],))

    def finish(
        self, key_id: str, response: Json, items: list[Json], messages: list[Json], events: Sequence[bytes]
    ) -> None:
        """`items` are the input's, `messages` the whole chat up to the answer, without instructions."""
        id, output = response["id"], cast(list[Json], response["output"])
        with self.db:
            self._put(key_id, response, items, messages)
            self.db.execute("INSERT OR REPLACE INTO response_events VALUES (?, ?)", (id, _packed(events)))
            rows = [(key_id, item["id"], id, json.dumps(item)) for item in output]
            self.db.executemany("INSERT OR REPLACE INTO response_output VALUES (?, ?, ?, ?)", rows)
            self.db.execute("DELETE FROM running_responses WHERE id = ?", (id,))
            self._extend(response, items)

    def tell_conversation(self, response: Json, items: list[Json]) -> None:
        """For a response that is not kept itself."""
        with self.db:
            self._extend(response, items)

    def unfinished(self) -> list[tuple[str, Json, list[Json], list[Json]]]:
        """(key_id, response, items, messages) of what ran in the background when the process before this one ended."""
        query = "SELECT key_id, response, items, messages FROM responses JOIN running_responses USING (id)"
        rows = cast(list[tuple[str, str, str, str]], self.db.execute(query).fetchall())
        return [(key, json.loads(kept), json.loads(items), json.loads(said)) for key, kept, items, said in rows]

    def get(self, key_id: str, id: str) -> Json:
        """Raises NotFound, as all below."""
        return self._column(key_id, id, "response", "response_id")

    def items(self, key_id: str, id: str) -> list[Json]:
        return self._column(key_id, id, "items", "response_id")

    def status(self, key_id: str, id: str) -> str:
        return self._column(key_id, id, "response", "previous_response_id")["status"]

    def messages(self, key_id: str, id: str) -> list[Json]:
        return self._column(key_id, id, "messages", "previous_response_id")

    def events(self, id: str) -> list[bytes]:
        """One for each sequence number; empty for a response that was kept without them."""
        row = self.db.execute("SELECT events FROM response_events WHERE id = ?", (id,)).fetchone()
        return [event + END for event in zlib.decompress(row[0]).split(END)[:-1]] if row else []

    def output_item(self, key_id: str, id: str) -> Json | None:
        """An item that one of this key's responses answered."""
        row = self.db.execute("SELECT item FROM response_output WHERE key_id = ? AND id = ?", (key_id, id)).fetchone()
        return json.loads(row[0]) if row else None

    def delete(self, key_id: str, id: str) -> None:
        with self.db:
            gone = self.db.execute("DELETE FROM responses WHERE key_id = ? AND id = ?", (key_id, id)).rowcount
            if not gone:
                raise _unknown(id, "response_id")
            self.db.execute("DELETE FROM response_events WHERE id = ?", (id,))
            self.db.execute("DELETE FROM response_output WHERE response_id = ?", (id,))
            self.db.execute("DELETE FROM running_responses WHERE id = ?", (id,))

    def _put(self, key_id: str, response: Json, items: list[Json], messages: list[Json]) -> None:
        row = (response["id"], key_id, json.dumps(response), json.dumps(items), json.dumps(messages))
        self.db.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?)", row)

    def _extend(self, response: Json, items: list[Json]) -> None:
        """A conversation that was deleted meanwhile gets nothing; one that failed or was cancelled adds nothing."""
        if response["conversation"] and response["status"] in ("completed", "incomplete"):
            self.conversations.extend(response["conversation"]["id"], [*items, *response["output"]])

    def _column(self, key_id: str, id: str, column: str, param: str) -> Any:
        query = f"SELECT {column} FROM responses WHERE key_id = ? AND id = ?"
        row = cast(tuple[str] | None, self.db.execute(query, (key_id, id)).fetchone())
        if row is None:
            raise _unknown(id, param)
        return json.loads(row[0])


def _packed(events: Sequence[bytes]) -> bytes:
    """Level 1 makes a tenth of them, in about a millisecond per thousand."""
    return zlib.compress(b"".join(events), 1)


def _unknown(id: str, param: str) -> NotFound:
    return NotFound(f"there is no response {id[:80]!r}", code="response_not_found", param=param)
