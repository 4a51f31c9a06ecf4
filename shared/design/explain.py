"""Which words of a brief led to which part of its design."""

import re
from collections.abc import Mapping
from typing import Any

from shared.design.brief import Brief
from shared.design.facts import find_facts

MOODS: dict[str, frozenset[str]] = {
    "loud": frozenset(
        [
            "loud",
            "bold",
            "bright",
            "colourful",
            "colorful",
            "energetic",
            "punchy",
            "fun",
            "wild",
            "crazy",
            "party",
            "shout",
            "vivid",
        ]
    ),
    "quiet": frozenset(
        ["quiet", "calm", "minimal", "minimalist", "serious", "understated", "clean", "simple", "trustworthy", "subtle"]
    ),
    "pastel": frozenset(["pastel", "soft", "gentle", "sweet", "delicate", "tender"]),
    "dark": frozenset(["dark", "moody", "black", "night", "elegant", "luxury", "luxurious", "premium", "noir"]),
}
"""mood -> words of a brief that ask for it"""


def mood_of(prompt: str) -> str | None:
    """The first mood that the words of a brief ask for."""
    for word in re.findall(r"[a-z]+", prompt.lower()):
        for mood, words in MOODS.items():
            if word in words:
                return mood
    return None


def explain(spec: Mapping[str, Any], brief: Brief) -> dict[str, Any]:
    """{"palette": [...], "layout": [...], "copy": {element: [...]}}: words of the brief behind each choice.

    Palette and layout follow the mood's words and the canvas; copy lists the words that stand in each text.
    """
    words = re.findall(r"[\w$€£%'’&-]+", brief.prompt)
    mood = [word for word in words if any(word.lower() in known for known in MOODS.values())]
    facts = find_facts(brief.prompt)
    copy: dict[str, list[str]] = {}
    for number, element in enumerate(spec["elements"]):
        text = str(element.get("text", "")).replace("\n", " ")
        said = {word.lower() for word in re.findall(r"\w+", text)}
        spans = [span for span in (*facts.names, *facts.figures) if span in text]
        plain = [word for word in words if len(word) > 3 and word.lower() in said and not _inside(word, spans)]
        copy[str(number)] = list(dict.fromkeys([*spans, *plain]))
    return {"palette": mood, "layout": [*mood, brief.format], "copy": copy}


def _inside(word: str, spans: list[str]) -> bool:
    return any(word in span for span in spans)
