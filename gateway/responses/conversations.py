"""Conversations and their items, kept in SQLite for their key."""

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import InvalidRequest, NotFound
from shared.paging import Order, read_page

Json = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    metadata TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS conversation_items (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL,
    id TEXT NOT NULL,
    item TEXT NOT NULL,
    UNIQUE (conversation_id, id)
);
CREATE INDEX IF NOT EXISTS conversation_items_by_id ON conversation_items (id);
"""
INSERT = "INSERT INTO conversation_items (conversation_id, id, item) VALUES (?, ?, ?)"


class ConversationStore:
    """Another key's conversations are as if they were not there. Items are `gateway.responses.items.kept_item`s."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def create(self, key_id: str, items: Sequence[Json], metadata: Mapping[str, str]) -> Json:
        """Raises InvalidRequest when two items have one id."""
        id = f"conv_{uuid.uuid4().hex}"
        with self.db:
            row = (id, key_id, int(time.time()), json.dumps(metadata))
            self.db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", row)
            self._insert(id, items)
        return self.get(key_id, id)

    def get(self, key_id: str, id: str, param: str = "conversation_id") -> Json:
        """Raises NotFound on `param`, as all below."""
        query = "SELECT created_at, metadata FROM conversations WHERE key_id = ? AND id = ?"
        row = self.db.execute(query, (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"there is no conversation {id[:80]!r}", code="conversation_not_found", param=param)
        return {"id": id, "object": "conversation", "created_at": row[0], "metadata": json.loads(row[1])}

    def label(self, key_id: str, id: str, metadata: Mapping[str, str]) -> Json:
        """Replace the metadata."""
        with self.db:
            values = (json.dumps(metadata), key_id, id)
            self.db.execute("UPDATE conversations SET metadata = ? WHERE key_id = ? AND id = ?", values)
        return self.get(key_id, id)

    def delete(self, key_id: str, id: str) -> None:
        self.get(key_id, id)
        with self.db:
            self.db.execute("DELETE FROM conversations WHERE id = ?", (id,))
            self.db.execute("DELETE FROM conversation_items WHERE conversation_id = ?", (id,))

    def add(self, key_id: str, id: str, items: Sequence[Json]) -> None:
        """All of them or none; raises InvalidRequest for an id that is there."""
        self.get(key_id, id)
        with self.db:
            self._insert(id, items)

    def extend(self, id: str, items: Sequence[Json]) -> None:
        """Inside the caller's transaction; what has an id that is there is there. Nothing when `id` is gone."""
        if self.db.execute("SELECT 1 FROM conversations WHERE id = ?", (id,)).fetchone():
            rows = [(id, item["id"], json.dumps(item)) for item in items]
            self.db.executemany(INSERT.replace("INSERT", "INSERT OR IGNORE", 1), rows)

    def items(self, key_id: str, id: str, param: str = "conversation_id") -> list[Json]:
        """All, oldest first."""
        self.get(key_id, id, param)
        query = "SELECT item FROM conversation_items WHERE conversation_id = ? ORDER BY number"
        return [json.loads(row[0]) for row in self.db.execute(query, (id,))]

    def page(self, key_id: str, id: str, after: str | None, limit: int, order: Order) -> tuple[list[Json], bool]:
        """Up to `limit` that follow `after`, and whether there are more."""
        self.get(key_id, id)
        if after is not None:
            self.item(key_id, id, after, "after")
        rows, more = read_page(self.db, "conversation_items", "item", ("conversation_id", id), after, limit, order)
        return [json.loads(row[0]) for row in rows], more

    def item(self, key_id: str, id: str, item_id: str, param: str = "item_id") -> Json:
        self.get(key_id, id)
        query = "SELECT item FROM conversation_items WHERE conversation_id = ? AND id = ?"
        row = self.db.execute(query, (id, item_id)).fetchone()
        if row is None:
            raise NotFound(f"there is no item {item_id[:80]!r}", code="item_not_found", param=param)
        return json.loads(row[0])

    def find_item(self, key_id: str, item_id: str) -> Json | None:
        """Of any of this key's conversations."""
        query = (
            "SELECT item FROM conversation_items JOIN conversations ON conversations.id = conversation_id"
            " WHERE key_id = ? AND conversation_items.id = ?"
        )
        row = self.db.execute(query, (key_id, item_id)).fetchone()
        return json.loads(row[0]) if row else None

    def delete_item(self, key_id: str, id: str, item_id: str) -> Json:
        """The conversation without it."""
        self.item(key_id, id, item_id)
        with self.db:
            self.db.execute("DELETE FROM conversation_items WHERE conversation_id = ? AND id = ?", (id, item_id))
        return self.get(key_id, id)

    def _insert(self, id: str, items: Sequence[Json]) -> None:
        for place, item in enumerate(items):
            try:
                self.db.execute(INSERT, (id, item["id"], json.dumps(item)))
            except sqlite3.IntegrityError as error:
                where = f"items[{place}].id"
                raise InvalidRequest(f"{where}: there is an item with this id already", param=where) from error
