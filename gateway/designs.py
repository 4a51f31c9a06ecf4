"""Designs that were made, in SQLite: each belongs to the key that asked for it and keeps that user's verdict."""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.model_adapter import Designed
from shared.design import Brief, dumps
from shared.errors import NotFound
from shared.paging import Order, read_page

SCHEMA = """
CREATE TABLE IF NOT EXISTS designs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    prompt TEXT NOT NULL,
    platform TEXT NOT NULL,
    format TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    elements TEXT NOT NULL,
    spec TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    accepted INTEGER,
    edited_spec TEXT
);
CREATE INDEX IF NOT EXISTS designs_by_key ON designs (key_id, number);
"""
BRIEF = "prompt, platform, format, width, height"
COLUMNS = f"id, key_id, created, {BRIEF}, elements, spec, model, provider, accepted, edited_spec"


@dataclass(frozen=True)
class Design:
    id: str
    key_id: str
    created: int
    """Unix seconds."""
    prompt: str
    platform: str
    format: str
    width: int
    height: int
    elements: tuple[str, ...]
    """The types of element that the request allowed."""
    spec: dict[str, Any]
    model: str
    provider: str
    accepted: bool | None = None
    edited_spec: dict[str, Any] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """A line of training data; what the user made of the design wins over what the model made."""
        brief = {"prompt": self.prompt, "platform": self.platform, "format": self.format}
        return {**brief, "response": self.edited_spec or self.spec}


class DesignStore:
    """One table; another key's designs are as if they were not there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def add(self, key_id: str, brief: Brief, elements: Sequence[str], made: Designed) -> Design:
        row = (
            *(f"design_{uuid.uuid4().hex}", key_id, int(time.time())),
            *(brief.prompt, brief.platform, brief.format, brief.width, brief.height),
            *(json.dumps(elements), dumps(made.spec), made.model, made.provider, None, None),
        )
        with self.db:
            self.db.execute(f"INSERT INTO designs ({COLUMNS}) VALUES (?{', ?' * 13})", row)
        return _design(row)

    def get(self, key_id: str, id: str) -> Design:
        """NotFound too when it is another key's."""
        row = self.db.execute(f"SELECT {COLUMNS} FROM designs WHERE key_id = ? AND id = ?", (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"no design {id[:80]!r}", code="design_not_found", param="id")
        return _design(row)

    def page(self, key_id: str, after: str | None, limit: int, order: Order) -> tuple[list[Design], bool]:
        """Up to `limit` designs that follow `after`, and whether there are more."""
        if after is not None:
            self.get(key_id, after)
        rows, more = read_page(self.db, "designs", COLUMNS, ("key_id", key_id), after, limit, order)
        return [_design(row) for row in rows], more

    def judge(self, key_id: str, id: str, accepted: bool, edited_spec: dict[str, Any] | None) -> Design:
        """Note the verdict; a later one replaces it."""
        design = self.get(key_id, id)
        with self.db:
            self.db.execute(
                "UPDATE designs SET accepted = ?, edited_spec = ? WHERE key_id = ? AND id = ?",
                (accepted, dumps(edited_spec) if edited_spec else None, key_id, id),
            )
        return replace(design, accepted=accepted, edited_spec=edited_spec)

    def accepted(self, key_id: str) -> Iterator[Design]:
        """All that this key accepted, oldest first; read in steps: little memory, no lock held."""
        number = 0
        where = "key_id = ? AND accepted AND number > ? ORDER BY number LIMIT 100"
        while rows := self.db.execute(
            f"SELECT number, {COLUMNS} FROM designs WHERE {where}", (key_id, number)
        ).fetchall():
            number = rows[-1][0]
            yield from (_design(row[1:]) for row in rows)


def _design(row: tuple[Any, ...]) -> Design:
    *texts, elements, spec, model, provider, accepted, edited = row
    return Design(
        *texts,
        elements=tuple(json.loads(elements)),
        spec=json.loads(spec),
        model=model,
        provider=provider,
        accepted=None if accepted is None else bool(accepted),
        edited_spec=json.loads(edited) if edited else None,
    )
