"""Chat completions that were asked for with `store`: kept in SQLite for their key, whichever provider answered."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from gateway.gather import gather
from gateway.stream import DONE, EventCutter
from gateway.text import Body, Text, TextPath, stream_options
from shared.app import from_validation
from shared.asgi import Scope
from shared.errors import NotFound, UpstreamFailed
from shared.paging import Order, read_page
from shared.wire.stored import KeepRequest

SCHEMA = """
CREATE TABLE IF NOT EXISTS stored_completions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    metadata TEXT NOT NULL,
    completion TEXT NOT NULL,
    messages TEXT NOT NULL,
    UNIQUE (key_id, id)
);
CREATE INDEX IF NOT EXISTS stored_completions_by_key ON stored_completions (key_id, number);
"""
COLUMNS = "id, metadata, completion, messages"
LABELLED = " AND EXISTS (SELECT 1 FROM json_each(metadata) WHERE json_each.key = ? AND json_each.value = ?)"


@dataclass(frozen=True)
class Kept:
    id: str
    metadata: dict[str, str]
    completion: dict[str, Any]
    messages: list[Any]
    """As the client sent them."""


class CompletionStore:
    """Another key's completions are as if they were not there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.executescript(SCHEMA)

    def add(self, key_id: str, completion: Any, messages: Any, metadata: Mapping[str, str]) -> None:
        """Raises UpstreamFailed when it is not a completion."""
        try:
            id, model = str(completion["id"]), str(completion["model"])
        except (KeyError, TypeError) as error:
            raise UpstreamFailed("the upstream's answer cannot be stored: it has no id or no model") from error
        row = (id, key_id, model, json.dumps(metadata), json.dumps(completion), json.dumps(messages))
        columns = "id, key_id, model, metadata, completion, messages"
        with self.db:
            self.db.execute(f"INSERT OR REPLACE INTO stored_completions ({columns}) VALUES (?{', ?' * 5})", row)

    def get(self, key_id: str, id: str, param: str = "completion_id") -> Kept:
        """Raises NotFound on `param`."""
        query = f"SELECT {COLUMNS} FROM stored_completions WHERE key_id = ? AND id = ?"
        row = self.db.execute(query, (key_id, id)).fetchone()
        if row is None:
            raise NotFound(f"no stored completion {id[:80]!r}", code="completion_not_found", param=param)
        return _kept(row)

    def page(
        self, key_id: str, after: str | None, limit: int, order: Order, model: str | None, labels: Mapping[str, str]
    ) -> tuple[list[Kept], bool]:
        """Up to `limit` of this `model` and with these metadata that follow `after`, and whether there are more."""
        where, values = "", list[str]()
        if model is not None:
            where, values = " AND model = ?", [model]
        for label in labels.items():
            where, values = where + LABELLED, [*values, *label]
        if after is not None:
            self.get(key_id, after, param="after")
        owner = ("key_id", key_id)
        rows, more = read_page(self.db, "stored_completions", COLUMNS, owner, after, limit, order, where, values)
        return [_kept(row) for row in rows], more

    def label(self, key_id: str, id: str, metadata: Mapping[str, str]) -> Kept:
        """Replace the metadata. Raises NotFound."""
        with self.db:
            values = (json.dumps(metadata), key_id, id)
            self.db.execute("UPDATE stored_completions SET metadata = ? WHERE key_id = ? AND id = ?", values)
        return self.get(key_id, id)

    def delete(self, key_id: str, id: str) -> None:
        """Raises NotFound."""
        self.get(key_id, id)
        with self.db:
            self.db.execute("DELETE FROM stored_completions WHERE key_id = ? AND id = ?", (key_id, id))


def _kept(row: tuple[str, str, str, str]) -> Kept:
    id, metadata, completion, messages = row
    return Kept(id, json.loads(metadata), json.loads(completion), json.loads(messages))


class KeepingText:
    """Stands before `text` for one request with `store`; an answer that broke off is not kept."""

    def __init__(self, text: Text, store: CompletionStore, key_id: str, metadata: Mapping[str, str]) -> None:
        self.text = text
        self.store = store
        self.key_id = key_id
        self.metadata = metadata

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        answer = await self.text.answer(path, _for_upstream(body))
        self._keep(orjson.loads(answer), body)
        return answer

    async def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        asked = _for_upstream(body)
        options, wanted = stream_options(body)
        asked["stream_options"] = {**options, "include_usage": True}  # it is kept, if not sent
        cutter = EventCutter(wanted)
        events = bytearray()
        async with aclosing(self.text.stream(path, asked)) as blocks:
            async for block in blocks:
                events += block
                if block.endswith(DONE):  # before the client sees the end, so that it finds what it asks for next
                    self._keep(gather(bytes(events)), body)
                sent = cutter.feed(block)
                if sent:
                    yield sent

    def _keep(self, completion: Any, body: Body) -> None:
        self.store.add(self.key_id, completion, body["messages"], self.metadata)


def keeping(scope: Scope, text: Text, body: Body) -> Text | KeepingText:
    """`text` as `store` in `body` wants it; raises InvalidRequest on `store` or `metadata`."""
    try:
        wish = KeepRequest.model_validate(body)
    except ValidationError as error:
        raise from_validation(error.errors(), body) from None
    if not wish.store:
        return text
    return KeepingText(text, scope["app"].state.stored_completions, scope["state"]["key"].id, wish.metadata or {})


def _for_upstream(body: Body) -> Body:
    """OpenAI would keep it a second time; and it takes metadata only together with `store`."""
    return {name: value for name, value in body.items() if name not in ("store", "metadata")}
