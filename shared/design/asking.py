"""Asking a model for a design: once, and once more when the answer is unusable or leaves out a fact of the brief."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from shared.design.brief import Brief
from shared.design.check import check, missing
from shared.errors import UpstreamInvalid

T = TypeVar("T")
Fields = Mapping[str, int]
ROUNDS: tuple[Fields, ...] = ({}, {"seed": 1, "n": 4})
"""What each ask adds to the request. The second has a seed of its own, so that a model that answers the same request
alike does not repeat itself, and wants several drafts: they cost one prompt, and in one batch hardly more time."""


async def ask_for_design(
    ask: Callable[[Fields], Awaitable[tuple[Sequence[str], T]]], brief: Brief, elements: Sequence[str] = ("text",)
) -> tuple[dict[str, Any], T]:
    """The first usable design that shows every name, price, percentage and date; else the most complete one.

    `ask` is given fields for its request, and answers the model's drafts and whatever the caller wants to have with
    them. Raises UpstreamInvalid when no draft was usable. Nothing edits a draft.
    """
    usable: list[tuple[int, dict[str, Any], T]] = []
    failed = UpstreamInvalid("no answer")
    for fields in ROUNDS:
        drafts, beside = await ask(fields)
        for draft in drafts:
            try:
                spec = check(draft, brief, elements)
            except UpstreamInvalid as error:
                failed = error
                continue
            lacking = len(missing(spec, brief))
            if not lacking:
                return spec, beside
            usable.append((lacking, spec, beside))
    if not usable:
        raise failed
    _, spec, beside = min(usable, key=lambda one: one[0])
    return spec, beside
