import asyncio
import json
import re
from pathlib import Path

import pytest

from gateway.db import connect
from gateway.modality import Spent
from gateway.prices import Prices
from gateway.settings import PRICES
from gateway.usage import SCHEMA, UsageStore


@pytest.fixture
def store(tmp_path: Path) -> UsageStore:
    return UsageStore(lambda: connect(tmp_path / "gateway.db"), Prices(PRICES))


async def test_counts_by_key_model_and_day(store: UsageStore, tmp_path: Path) -> None:
    for _ in range(3):
        store.record("a", Spent("custom", "starter", 100, 20))
    store.record("a", Spent("openai", "gpt-4o-mini", 1, 1))
    store.record("b", Spent("custom", "starter", 1, 1))
    await store.flush()
    store.record("a", Spent("custom", "starter", 100, 20))
    await store.flush()
    again = UsageStore(lambda: connect(tmp_path / "gateway.db"), Prices(PRICES))
    rows = {row["model"]: row for row in again.rows("a", "0000-00-00")}
    starter = rows["starter"]
    assert (starter["requests"], starter["prompt_tokens"], starter["completion_tokens"]) == (4, 400, 80)
    assert starter["cost_usd"] == 0 and starter["openai_cost_usd"] == pytest.approx((400 * 0.15 + 80 * 0.6) / 1e6)
    assert rows["gpt-4o-mini"]["cost_usd"] == rows["gpt-4o-mini"]["openai_cost_usd"] > 0
    assert store.rows("a", "9999-01-01") == []


async def test_a_locked_file_loses_nothing(store: UsageStore, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store.db.execute("PRAGMA busy_timeout=10")
    store.record("a", Spent("custom", "starter", 1, 1))
    other = connect(tmp_path / "gateway.db")
    other.execute("BEGIN IMMEDIATE")
    await store.flush()
    assert "tried again" in caplog.text
    store.record("a", Spent("custom", "starter", 1, 1))
    other.rollback()
    await store.flush()
    assert store.rows("a", "0000-00-00")[0]["requests"] == 2


def test_prices_know_dated_names_and_what_they_do_not_know() -> None:
    prices = Prices(PRICES)
    dated = prices.costs(Spent("openai", "gpt-4o-mini-2024-07-18", 1_000_000, 0))
    assert dated == (0.15, 0.15)  # the longest name that it begins with, not gpt-4o
    assert prices.costs(Spent("openai", "from-the-future", 5, 5)) == (None, None)
    assert prices.costs(Spent("openai", "gpt-5-pro-2025-10-06", 1_000_000, 0))[0] == 15.0
    assert prices.costs(Spent("openai", "gpt-5-nobody-knows", 5, 5)) == (None, None)
    assert prices.costs(Spent("custom", "ft:anything", 1_000_000, 0)) == (0.0, 0.15)


def test_an_unknown_price_makes_the_sum_unknown(store: UsageStore) -> None:
    store.record("a", Spent("openai", "from-the-future", 5, 5))
    (counted,) = store.counted.values()
    assert counted.cost_usd is None and counted.prompt_tokens == 5


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"openai": {"gpt": {"input": 1}}}))
    with pytest.raises(ValueError, match=r"prices\.json"):
        Prices(path)


def test_pictures_cost_by_tokens_or_by_the_piece() -> None:
    prices = Prices(PRICES)
    assert prices.costs(Spent("openai", "gpt-image-1-mini", 0, 1_000_000, images=3)) == (8.0, 8.0)
    assert prices.costs(Spent("openai", "gpt-image-1-mini", 0, 0, images=3))[0] == pytest.approx(0.033)
    assert prices.costs(Spent("openai", "gpt-4o", 0, 0, images=3)) == (None, None)
    own = prices.costs(Spent("custom", "starter-image", 9, 272, images=2))
    assert own == (0.0, pytest.approx(0.022)), "tokens of another model say nothing of OpenAI's price"


async def test_a_table_from_before_pictures_were_counted(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    older = re.sub(r"    (images|seconds) INTEGER NOT NULL DEFAULT 0,\n", "", SCHEMA)
    with connect(path) as db:
        db.execute(older)
        db.execute("INSERT INTO usage VALUES ('2026-01-01', 'a', 'custom', 'starter', 1, 2, 3, 0, 0)")
    store = UsageStore(lambda: connect(path), Prices(PRICES))
    store.record("a", Spent("custom", "starter-image", 0, 0, images=2))
    await store.flush()
    assert [(row["model"], row["images"]) for row in store.rows("a", "2026-01-01")] == [
        ("starter-image", 2),
        ("starter", 0),
    ]


async def test_who_flushes_second_finds_what_the_first_is_still_writing(store: UsageStore) -> None:
    store.record("a", Spent("custom", "starter", 7, 0))
    first = asyncio.create_task(store.flush())
    await asyncio.sleep(0)  # it has taken what was counted
    await store.flush()
    assert [row["prompt_tokens"] for row in store.rows("a", "2026-01-01")] == [7]
    await first
