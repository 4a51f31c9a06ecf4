"""What two providers answered to the same requests, in SQLite, for a side-by-side report.

The table `shadow` has one row a request and may be read by anybody with SQL. `first_…` is what the client got,
`second_…` what the other provider said. `…_answer` is the text of the first choice, or its tool calls as JSON, or a
data URL a line for pictures, made small; NULL where `second_error` tells the code of a failure. `…_cost_usd` is NULL
where the price table has no price, `…_score` (0 to 1) where nothing measures the answer. `vote` is first, second, tie,
or NULL while nobody voted. Neither keys nor headers are kept.
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.db import connect
from shared.errors import NotFound
from shared.paging import Order, read_page

SCHEMA = """
CREATE TABLE IF NOT EXISTS shadow (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    path TEXT NOT NULL,
    request TEXT NOT NULL,
    first_provider TEXT NOT NULL,
    first_model TEXT NOT NULL,
    first_answer TEXT,
    first_latency_ms REAL NOT NULL,
    first_cost_usd REAL,
    first_score REAL,
    second_provider TEXT NOT NULL,
    second_model TEXT NOT NULL,
    second_answer TEXT,
    second_latency_ms REAL NOT NULL,
    second_cost_usd REAL,
    second_score REAL,
    second_error TEXT,
    vote TEXT
);
CREATE INDEX IF NOT EXISTS shadow_by_key ON shadow (key_id, number);
"""
SIDE = ("provider", "model", "answer", "latency_ms", "cost_usd", "score")
COLUMNS = (
    *("id", "key_id", "created", "path", "request"),
    *(f"first_{name}" for name in SIDE),
    *(f"second_{name}" for name in SIDE),
    *("second_error", "vote"),
)
NAMES = ", ".join(COLUMNS)
MAX_ROWS = 10_000
"""The oldest go; with what `gateway.adapters.shadowed` lets in at most, some 5 GB."""
Vote = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class Side:
    """One provider's answer."""

    provider: str
    model: str
    answer: str | None
    latency_ms: float
    """To the end of the answer."""
    cost_usd: float | None = None
    score: float | None = None
    error: str | None = None


class ShadowStore:
    """A connection of its own, for one thread at a time. Another key's records are as if they were not there."""

    def __init__(self, path: Path, max_rows: int = MAX_ROWS) -> None:
        self.db = connect(path)
        self.db.executescript(SCHEMA)
        self.max_rows = max_rows
        self.lock = threading.Lock()

    def add(self, id: str, key_id: str, path: str, request: bytes, first: Side, second: Side) -> None:
        """Raises sqlite3.Error when the disk is full or the file stays locked."""
        sides = [asdict(side)[name] for side in (first, second) for name in SIDE]
        row = (id, key_id, int(time.time()), path, request.decode(), *sides, second.error, None)
        with self.lock, self.db:
            self.db.execute(f"INSERT INTO shadow ({NAMES}) VALUES (?{', ?' * (len(COLUMNS) - 1)})", row)
            self.db.execute("DELETE FROM shadow WHERE number <= (SELECT max(number) FROM shadow) - ?", (self.max_rows,))

    def get(self, key_id: str, id: str) -> dict[str, Any]:
        """The record as the wire has it. Raises NotFound."""
        row = self.db.execute(f"SELECT {NAMES} FROM shadow WHERE key_id = ? AND id = ?", (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"no shadow record {id[:80]!r}", code="shadow_not_found", param="id")
        return _shown(row)

    def page(self, key_id: str, after: str | None, limit: int, order: Order) -> tuple[list[dict[str, Any]], bool]:
        """Up to `limit` records that follow `after`, and whether there are more."""
        if after is not None:
            self.get(key_id, after)
        rows, more = read_page(self.db, "shadow", NAMES, ("key_id", key_id), after, limit, order)
        return [_shown(row) for row in rows], more

    def every(self, key_id: str) -> Iterator[dict[str, Any]]:
        """All of this key, oldest first; read in steps: little memory, no lock held."""
        number = 0
        query = f"SELECT number, {NAMES} FROM shadow WHERE key_id = ? AND number > ? ORDER BY number LIMIT 20"
        while rows := self.db.execute(query, (key_id, number)).fetchall():
            number = rows[-1][0]
            yield from (_shown(row[1:]) for row in rows)

    def vote(self, key_id: str, id: str, vote: Vote | None) -> dict[str, Any]:
        """Note which answer somebody prefers; a later vote replaces it, None takes it back. Raises NotFound."""
        with self.db:
            self.db.execute("UPDATE shadow SET vote = ? WHERE key_id = ? AND id = ?", (vote, key_id, id))
        return self.get(key_id, id)

    def close(self) -> None:
        self.db.close()


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(COLUMNS, row, strict=True))
    sides = {side: {name: found[f"{side}_{name}"] for name in SIDE} for side in ("first", "second")}
    sides["second"]["error"] = found["second_error"]
    plain = {name: found[name] for name in ("id", "created", "path", "vote")}
    return {"object": "shadow", **plain, "request": json.loads(found["request"]), **sides}
