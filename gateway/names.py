"""Which model a name means: one that the provider has, else what MODEL_ALIASES says for this provider, else 404."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

from shared.errors import InvalidRequest, NotFound, ServiceError

Aliases = Mapping[str, Mapping[str, str]]
FRESH_S = 5.0
"""After this the list is fetched again; for a name that it lacks at once."""
PAUSE_S = 0.1
"""Between two fetches: unknown names wait, and share one."""
STARTER = "starter"
"""What each in-house service calls the model that ships with it."""


class ModelNames:
    """Names of one provider; `fetch` lists what it has.

    Where the provider is the judge of names (`closed` is false: listing costs a call to OpenAI), the list is asked for
    only when an alias could hide a model.
    """

    def __init__(self, aliases: Mapping[str, str], fetch: Callable[[], Awaitable[set[str]]], closed: bool) -> None:
        self.aliases = aliases
        self.fetch = fetch
        self.closed = closed
        self.known: set[str] = set()
        self.fetched = float("-inf")  # when the latest fetch began
        self.lock = asyncio.Lock()

    async def resolve(self, name: str) -> str:
        """The provider's own name. Raises NotFound, or what the fetch raises when nothing is known yet."""
        if not self.closed and name not in self.aliases:
            return name
        now = time.monotonic()
        if now - self.fetched > FRESH_S:
            await self._refresh(now - FRESH_S)
        if name in self.known:
            return name
        if self.aliases.get(name) in self.known:
            return self.aliases[name]
        await self._refresh(now)
        if name in self.known:
            return name
        model, _, version = name.rpartition(":")
        if model in self.known and version[:1].isdigit():  # a version of it, which no list holds
            return name
        if name in self.aliases:  # the provider may know more than it lists
            return self.aliases[name]
        raise unknown_model(name)

    def forget(self, name: str) -> None:
        """`name` was deleted: the next request asks the provider again."""
        self.known.discard(name)
        self.fetched = float("-inf")

    async def _refresh(self, since: float) -> None:
        """Have a list that was asked for after `since`."""
        async with self.lock:  # one fetch for all who wait
            if self.fetched > since:
                return
            await asyncio.sleep(self.fetched + PAUSE_S - time.monotonic())
            began = time.monotonic()
            try:
                self.known = await self.fetch()
            except ServiceError:
                if not self.known:
                    raise  # else an older list is better than none; the request itself will say what is wrong
            self.fetched = began


def wanted(name: object, default: str | None, setting: str) -> str:
    """The name that a request means, which `default` may stand in for. Raises InvalidRequest on `model`."""
    if name is None or name == "":
        name = default
    if name is None:
        raise InvalidRequest(f"`model` is missing, and {setting} is not set", param="model", code="missing_model")
    if not isinstance(name, str):
        raise InvalidRequest("`model` must be a string", param="model")
    return name


def merged(modality: str, name: str) -> str:
    """What a service's `name` is called where the models of all are: `starter` is text's."""
    return f"{STARTER}-{modality}" if name == STARTER and modality != "text" else name


def own(modality: str, name: str) -> str:
    """`merged` read backwards."""
    return STARTER if name == f"{STARTER}-{modality}" else name


def may_have(modality: str, name: str) -> bool:
    """Whether a merged name can be of this modality: a service knows its `starter`, which is text's where all are."""
    return merged(modality, own(modality, name)) == name


def unknown_model(name: str) -> NotFound:
    return NotFound(f"there is no model {name[:120]!r}", code="model_not_found", param="model")


def read_aliases(path: Path | None) -> Aliases:
    """The table of MODEL_ALIASES. Raises ValueError saying what is wrong with the file."""
    if path is None:
        return {}
    try:
        table: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"MODEL_ALIASES={path} cannot be read as JSON: {error}") from error
    columns = cast(dict[str, Any], table).values() if isinstance(table, dict) else [None]
    for column in columns:
        names = cast(dict[str, Any], column).values() if isinstance(column, dict) else [None]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f'MODEL_ALIASES={path} is not of the form {{"gpt-4o-mini": {{"custom": "starter"}}}}')
    return cast(Aliases, table)


def column(aliases: Aliases, provider: str) -> dict[str, str]:
    return {name: row[provider] for name, row in aliases.items() if provider in row}


def counterparts(aliases: Aliases, first: str, second: str) -> dict[str, str]:
    """What `second` calls the models of `first`: a row says what one model is called everywhere, by its own name where
    it has no column."""
    found: dict[str, str] = {}
    for name, row in aliases.items():
        if first in row:
            found.setdefault(row[first], row.get(second, name))
    return found
