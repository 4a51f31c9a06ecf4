"""Evaluations in SQLite: each belongs to the key that asked for it."""

import json
import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import Any

from shared.errors import NotFound, Overloaded
from shared.paging import Order, read_page
from shared.wire.evaluations import EvaluationRequest

SCHEMA = """
CREATE TABLE IF NOT EXISTS evaluations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    status TEXT NOT NULL,
    request TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    error TEXT,
    report TEXT
);
CREATE INDEX IF NOT EXISTS evaluations_by_key ON evaluations (key_id, number);
"""
COLUMNS = "id, key_id, created, status, request, attempts, done, total, error, report"
OPEN = "status IN ('queued', 'running')"
MAX_OPEN = 8
"""Evaluations of one key that wait or run."""


@dataclass(frozen=True)
class Evaluation:
    id: str
    key_id: str
    created: int
    status: str
    request: dict[str, Any]
    attempts: int
    done: int
    total: int
    error: str | None
    report: dict[str, Any] | None


class EvaluationStore:
    """Another key's evaluations are as if they were not there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def add(self, key_id: str, request: EvaluationRequest) -> Evaluation:
        """Raises Overloaded when as many of this key wait already as may wait."""
        waiting = self.db.execute(f"SELECT count(*) FROM evaluations WHERE key_id = ? AND {OPEN}", (key_id,)).fetchone()
        if waiting[0] >= MAX_OPEN:
            raise Overloaded(f"{waiting[0]} evaluations wait or run already", retry_after_s=30)
        sent = request.model_dump_json(exclude_unset=True)
        row = (f"eval_{uuid.uuid4().hex}", key_id, int(time.time()), "queued", sent, 0, 0, 0, None, None)
        with self.db:
            self.db.execute(f"INSERT INTO evaluations ({COLUMNS}) VALUES (?{', ?' * 9})", row)
        return _evaluation(row)

    def get(self, key_id: str, id: str) -> Evaluation:
        query = f"SELECT {COLUMNS} FROM evaluations WHERE key_id = ? AND id = ?"
        row = self.db.execute(query, (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"no evaluation {id[:80]!r}", code="evaluation_not_found", param="id")
        return _evaluation(row)

    def page(self, key_id: str, after: str | None, limit: int, order: Order) -> tuple[list[Evaluation], bool]:
        """Up to `limit` that follow `after`, without their reports, and whether there are more."""
        if after is not None:
            self.get(key_id, after)
        columns = COLUMNS.replace("report", "NULL")
        rows, more = read_page(self.db, "evaluations", columns, ("key_id", key_id), after, limit, order)
        return [_evaluation(row) for row in rows], more

    def next(self) -> Evaluation | None:
        """The oldest that is to be run, now noted as running."""
        query = f"SELECT {COLUMNS} FROM evaluations WHERE {OPEN} ORDER BY number LIMIT 1"
        row = self.db.execute(query).fetchone()
        if row is None:
            return None
        found = _evaluation(row)
        self.note(found.id, status="running", attempts=found.attempts + 1)
        return found

    def note(self, id: str, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.db:
            self.db.execute(f"UPDATE evaluations SET {columns} WHERE id = ?", (*values.values(), id))


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    values: list[Any] = list(row)
    values[4] = json.loads(row[4])
    values[9] = row[9] and json.loads(row[9])
    return Evaluation(*values)
