"""Asking a model for a design: once, and once more when the answer is unusable or leaves out a fact of the brief."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from shared.design.brief import Brief
from shared.design.check import check, missing
from shared.errors import UpstreamInvalid

T = TypeVar("T")
SEEDS: tuple[int | None, ...] = (None, 1)
"""The second ask has a seed of its own, so that a model that answers the same request alike does not repeat itself."""


async def ask_for_design(
    ask: Callable[[int | None], Awaitable[tuple[str, T]]], brief: Brief, elements: Sequence[str] = ("text",)
) -> tuple[dict[str, Any], T]:
    """The first usable design that shows every name, price, percentage and date; else the more complete of two.

    `ask` is given a seed, and answers the model's words and whatever the caller wants to have with them. Raises
    UpstreamInvalid when no answer was usable. Nothing edits an answer.
    """
    usable: list[tuple[int, dict[str, Any], T]] = []
    failed: UpstreamInvalid | None = None
    for seed in SEEDS:
        answer, beside = await ask(seed)
        try:
            spec = check(answer, brief, elements)
        except UpstreamInvalid as error:
            failed = error
            continue
        lacking = len(missing(spec, brief))
        usable.append((lacking, spec, beside))
        if not lacking:
            break
    if not usable:
        raise failed or UpstreamInvalid("no answer")
    _, spec, beside = min(usable, key=lambda one: one[0])
    return spec, beside
