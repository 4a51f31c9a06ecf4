"""One answer out of several services, as long as one of them is there."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import TypeVar, cast

from shared.errors import AWAY, ServiceError

log = logging.getLogger(__name__)
T = TypeVar("T")


async def ask_each(asks: Mapping[str, Awaitable[T]]) -> tuple[dict[str, T], dict[str, ServiceError]]:
    """(name -> what it answers, name -> why it is away), asked at once. Raises an error that is an answer."""
    found: dict[str, T] = {}
    away: dict[str, ServiceError] = {}
    for name, told in zip(asks, await asyncio.gather(*asks.values(), return_exceptions=True), strict=True):
        if isinstance(told, AWAY):
            away[name] = told
        elif isinstance(told, BaseException):
            raise told
        else:
            found[name] = cast(T, told)
    return found, away


async def ask_who_is_there(asks: Mapping[str, Awaitable[T]], what: str) -> tuple[dict[str, T], dict[str, list[str]]]:
    """(name -> what it answers, what the merged answer says of those that are away: nothing when all are there).

    Raises what the first one raised when none is there.
    """
    found, away = await ask_each(asks)
    if not found and away:
        raise next(iter(away.values()))
    for name, error in away.items():
        log.warning("%s of %s are not listed: %s", what, name, error)
    return found, {"unavailable": list(away)} if away else {}
