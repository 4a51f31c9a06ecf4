"""Requests, tokens, images, seconds of sound and cost per key, model and day, in SQLite.

Counted in memory and written once a second, so a kill loses no more than that second.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway.modality import Spent
from gateway.prices import Prices

SCHEMA = """
CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL,
    key_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd REAL,
    openai_cost_usd REAL,
    images INTEGER NOT NULL DEFAULT 0,
    seconds INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, key_id, provider, model)
) WITHOUT ROWID
"""
LATER = ("images", "seconds")
"""Columns that older tables lack."""
ADD_COLUMN = "ALTER TABLE usage ADD COLUMN {} INTEGER NOT NULL DEFAULT 0"
ADD = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cost_usd = cost_usd + excluded.cost_usd,
    openai_cost_usd = openai_cost_usd + excluded.openai_cost_usd,
    images = images + excluded.images,
    seconds = seconds + excluded.seconds
"""
FLUSH_S = 1.0
log = logging.getLogger(__name__)


@lru_cache(maxsize=2)
def today(days: int) -> str:
    """The date that many days after 1970, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(days * 86400))


@dataclass
class Counted:
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    openai_cost_usd: float | None = 0.0
    images: int = 0
    seconds: int = 0


class UsageStore:
    """`connect` opens a connection of its own, since writing happens in another thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], prices: Prices) -> None:
        self.db = connect()
        with self.db:
            self.db.execute(SCHEMA)
            there = {row[1] for row in self.db.execute("PRAGMA table_info(usage)")}
            for column in LATER:
                if column not in there:
                    self.db.execute(ADD_COLUMN.format(column))
        self.prices = prices
        self.counted: dict[tuple[str, str, str, str], Counted] = {}
        self.writing = asyncio.Lock()

    def record(self, key_id: str, spent: Spent) -> None:
        day = today(int(time.time()) // 86400)
        counted = self.counted.setdefault((day, key_id, spent.provider, spent.model), Counted())
        cost, there = self.prices.costs(spent)
        counted.requests += 1
        counted.prompt_tokens += spent.prompt_tokens
        counted.completion_tokens += spent.completion_tokens
        counted.cost_usd = _sum(counted.cost_usd, cost)
        counted.openai_cost_usd = _sum(counted.openai_cost_usd, there)
        counted.images += spent.images
        counted.seconds += spent.seconds

    async def flush(self) -> None:
        """Write what was counted; it is kept for the next time when the file is locked."""
        async with self.writing:  # who reads next flushes first, and must not read before another's write has ended
            counted, self.counted = self.counted, {}
            if not counted:
                return
            try:
                await asyncio.to_thread(self._write, counted)
            except sqlite3.OperationalError:
                log.exception("usage could not be written; it will be tried again")
                for key, more in counted.items():
                    _merge(self.counted.setdefault(key, Counted()), more)

    async def flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    def rows(self, key_id: str, since: str) -> list[dict[str, Any]]:
        """This key's days from `since` (YYYY-MM-DD) on, newest first."""
        counts = "requests, prompt_tokens, completion_tokens, images, seconds, cost_usd, openai_cost_usd"
        names = f"day, provider, model, {counts}"
        query = f"SELECT {names} FROM usage WHERE key_id = ? AND day >= ? ORDER BY day DESC, provider, model"
        return [dict(zip(names.split(", "), row, strict=True)) for row in self.db.execute(query, (key_id, since))]

    def _write(self, counted: dict[tuple[str, str, str, str], Counted]) -> None:
        with self.db:
            self.db.executemany(ADD, [(*key, *vars(value).values()) for key, value in counted.items()])


def _merge(into: Counted, more: Counted) -> None:
    into.requests += more.requests
    into.prompt_tokens += more.prompt_tokens
    into.completion_tokens += more.completion_tokens
    into.cost_usd = _sum(into.cost_usd, more.cost_usd)
    into.openai_cost_usd = _sum(into.openai_cost_usd, more.openai_cost_usd)
    into.images += more.images
    into.seconds += more.seconds


def _sum(total: float | None, more: float | None) -> float | None:
    """A day with one unknown price has an unknown cost: never a sum that looks complete."""
    return None if total is None or more is None else total + more
