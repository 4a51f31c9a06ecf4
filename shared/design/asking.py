"""Asking a model for a design: a few drafts, and again when they are unusable or leave out a fact of the brief."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from shared.design.brief import Brief
from shared.design.check import check, missing
from shared.design.prompt import messages, response_format
from shared.design.score import brief_words, repeats
from shared.errors import UpstreamInvalid

T = TypeVar("T")
Fields = Mapping[str, Any]
DRAFTS = 6
"""Of each ask. They cost one prompt and run in one batch; one draft in five of a small model is off its brief."""
ROUNDS: tuple[Fields, ...] = ({"n": DRAFTS}, {"n": DRAFTS, "seed": 1}, {"n": DRAFTS, "seed": 1001})
"""What each ask adds to the request. Later ones have a seed of their own, so that a model that answers the same request
alike does not repeat itself."""


class Draft(NamedTuple):
    spec: dict[str, Any]
    missing: Sequence[str]
    """Facts of the brief that it leaves out."""
    repeats: int
    """Texts that stand there a second time."""
    words: int
    """How many different words of the brief it takes up: the nearest thing to being on topic that needs no judge."""
    beside: Any

    @property
    def rank(self) -> tuple[int, int, int]:
        """The best draft has the lowest."""
        return len(self.missing), self.repeats, -self.words


async def ask_for_design(
    ask: Callable[[Fields], Awaitable[tuple[Sequence[str], T]]], brief: Brief, elements: Sequence[str] = ("text",)
) -> tuple[dict[str, Any], T]:
    """The best usable design: the one that leaves out fewest names, prices, percentages and dates, says nothing twice,
    and takes up most words of the brief, in this order. The first round of drafts with a complete one is the last.

    `ask` is given fields for its request, and answers the model's drafts and whatever the caller wants to have with
    them. After a round without a complete draft the next one names what the best so far leaves out. Raises
    UpstreamInvalid when no draft was usable. Nothing edits a draft.
    """
    best: Draft | None = None
    failed = UpstreamInvalid("no answer")
    for fields in ROUNDS:
        stressed = best.missing if best else ()
        again = (
            {
                "messages": messages(brief, stressed),
                "response_format": response_format(brief, elements, stressed),
            }
            if stressed
            else {}
        )
        answers, beside = await ask({**fields, **again})
        for answer in answers:
            try:
                spec = check(answer, brief, elements)
            except UpstreamInvalid as error:
                failed = error
                continue
            draft = Draft(spec, missing(spec, brief), repeats(spec), brief_words(spec, brief.prompt), beside)
            if best is None or draft.rank < best.rank:
                best = draft
        if best and not best.missing:
            break
    if best is None:
        raise failed
    return best.spec, best.beside
