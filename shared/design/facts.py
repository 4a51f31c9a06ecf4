"""What in a brief must be repeated to the letter, or not at all: names and figures."""

import re
from dataclasses import dataclass

MONTHS = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?"
    r"|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
NUMBER = r"\d+(?:[.,:]\d+)*"
FIGURE = re.compile(
    rf"{NUMBER}(?:st|nd|rd|th)?(?:\s?[-–]\s?{NUMBER})?\s{MONTHS}\b"
    rf"|\b{MONTHS}\s{NUMBER}(?:st|nd|rd|th)?\b"
    rf"|[$€£¥]\s?{NUMBER}k?"
    rf"|{NUMBER}\s?[€£$¥%](?!\w)"
    rf"|{NUMBER}\s(?:percent|euros?|EUR|dollars?|USD|pounds?|GBP|bucks)\b"
    rf"|{NUMBER}\s?(?:[ap]m)\b"
    rf"|{NUMBER}[A-Za-z]{{0,2}}\b",
    re.IGNORECASE,
)
DATED = re.compile(rf"\b{MONTHS}\b|\d\s?[ap]m\b", re.IGNORECASE)
PRICED = re.compile(r"[$€£¥%]|percent|euro|EUR|dollar|USD|pound|GBP|bucks", re.IGNORECASE)
WORD = r"[A-ZÀ-Þ]\w*(?:[’']\w+)*"
LINK = r"(?:&|of|the|and|do|da|de|del|la|le|du|for|y|\+)"
PLACE_NUMBER = r"(?:(?<=Route)|(?<=Gate)|(?<=Pier)|(?<=Hall)|(?<=Room)|(?<=Studio)|(?<=Unit)|(?<=Road)) \d+\b"
NAME = re.compile(rf"{WORD}(?:[ -](?:{LINK} ){{0,2}}{WORD})*(?:{PLACE_NUMBER})?")
OPENERS = frozenset(
    [
        "Name",
        "Brand",
        "Book",
        "Shop",
        "Visit",
        "Join",
        "Try",
        "Meet",
        "Promote",
        "Ad",
        "At",
        "In",
        "For",
        "With",
        "By",
        "Our",
        "New",
        "Buy",
        "Get",
        "See",
        "Come",
    ]
)
"""Ordinary words that open a sentence before a name: "Name Pennywise", "Book Mr Swirly"."""
CUE = re.compile(
    r"\b(?:called|named|name is|brand is|brand:|name:)\s+([a-zà-ÿ][\w’']*(?: [a-zà-ÿ][\w’']*)?)(?=\s*(?:[,.;:!?)]|$))"
)
SENTENCE = re.compile(r"(?:^|[.!?:]\s+|\n\s*)[\"'(]*$")


@dataclass(frozen=True)
class Facts:
    names: tuple[str, ...]
    """Names, places, months and days: runs of capitalised words, and what follows "called"."""
    figures: tuple[str, ...]
    """Prices, percentages, dates, times and counts, with their sign or unit."""
    required: tuple[str, ...]
    """Those that a design of this brief has to show: names, prices, percentages and dates."""

    @property
    def spans(self) -> tuple[str, ...]:
        """Everything that may stand in the copy with a capital or a digit; longest first."""
        return tuple(sorted({*self.names, *self.figures}, key=lambda span: (-len(span), span)))


MAX_REQUIRED = 6
"""A brief with more facts than this is a text of its own: the design may choose among them."""


def find_facts(prompt: str) -> Facts:
    """The facts of a brief, in the order in which they stand."""
    figures = [match.group() for match in FIGURE.finditer(prompt)]
    # "Sunday April 10" is a day and a date: the month belongs to its figure.
    worded = FIGURE.sub(
        lambda match: " " * len(match.group()) if DATED.search(match.group()) else match.group(), prompt
    )
    names: list[str] = []
    opening: list[str] = []
    for match in NAME.finditer(worded):
        name = match.group()
        first = SENTENCE.search(prompt[: match.start()]) is not None
        opener, _, rest = name.partition(" ")
        if first and rest[:1].isupper() and opener in OPENERS:
            opening.append(opener)
            name = rest
        ordinary = first and _is_grammar(name, prompt[match.end() :])
        (opening if ordinary else names).append(name)
    names += CUE.findall(prompt)
    required = _unique([*names, *(figure for figure in figures if DATED.search(figure) or PRICED.search(figure))])
    return Facts(
        names=_unique([*names, *opening]),
        figures=_unique(figures),
        required=required if len(required) <= MAX_REQUIRED else (),
    )


def _is_grammar(name: str, after: str) -> bool:
    """Whether the capital only opens a sentence. Not so for two words in a row, capitals inside, or a word alone."""
    if " " in name or re.search(r"\w[A-ZÀ-Þ]", name):
        return False
    return re.match(r"\s*(?:\.|$)", after) is None


def _unique(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
