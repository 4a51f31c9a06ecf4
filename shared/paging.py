"""Lists in pages, as OpenAI's are: what follows an id, in either order."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

Order = Literal["asc", "desc"]


def read_page(
    db: sqlite3.Connection,
    table: str,
    columns: str,
    owner: tuple[str, str],
    after: str | None,
    limit: int,
    order: Order,
    where: str = "",
    values: Sequence[object] = (),
) -> tuple[list[tuple[Any, ...]], bool]:
    """Up to `limit` rows that follow the one with the id `after` by their `number`, and whether there are more.

    `owner` is the column that says whose a row is, and whose rows are wanted; `where` (" AND …") chooses among them.
    Names are the code's own and never a client's.
    """
    sign, way = ("<", "DESC") if order == "desc" else (">", "ASC")
    column, whose = owner
    where, given = f"{column} = ?{where}", [whose, *values]
    if after is not None:
        where += f" AND number {sign} (SELECT number FROM {table} WHERE {column} = ? AND id = ?)"
        given += [whose, after]
    query = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY number {way} LIMIT {limit + 1}"
    found = db.execute(query, given).fetchall()
    return found[:limit], len(found) > limit
