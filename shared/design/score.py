"""How good designs are, measured: contrast, palette, layout, headline, and how much of the copy is the brief again."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.design.brief import Brief
from shared.design.check import check, missing
from shared.design.facts import find_facts
from shared.design.fonts import measure
from shared.errors import UpstreamInvalid

Spec = Mapping[str, Any]
BODY_CONTRAST = 4.5
"""WCAG 2.2 AA, https://www.w3.org/TR/WCAG22/#contrast-minimum"""
MAX_ECHO = 6
"""More consecutive words of the brief than this are a brief read aloud."""


def luminance(color: str) -> float:
    """WCAG relative luminance of "#rrggbb", 0 to 1. https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def texts(spec: Spec) -> list[Mapping[str, Any]]:
    return [element for element in spec["elements"] if element["type"] == "text"]


def headline(spec: Spec) -> Mapping[str, Any]:
    """The text with the largest font; the first of them."""
    return max(texts(spec), key=lambda element: element["fontSize"])


def palette(spec: Spec) -> tuple[str, ...]:
    """Background, then the texts' colours in order of the alphabet."""
    return (spec["background_color"], *sorted({element["color"] for element in texts(spec)}))


def body_contrast(spec: Spec) -> float:
    """The lowest contrast of any text but the headline; the headline's when it stands alone."""
    main = headline(spec)
    body = [element for element in texts(spec) if element is not main] or [main]
    return min(contrast(element["color"], spec["background_color"]) for element in body)


class LayoutClass(NamedTuple):
    """What one sees of a layout from afar."""

    align: str
    """left, center, right, or mixed when no edge is shared"""
    headline: str
    """top, middle or bottom: the third in which the headline's centre lies"""
    order: str
    """the place of the headline among the texts, counted from the top: first, second or later"""
    scale: str
    """huge, large or small: the headline's size against the canvas's shorter side"""


def layout_class(spec: Spec, width: int, height: int) -> LayoutClass:
    """The class of a design on a canvas of `width` x `height` px."""
    boxes: list[tuple[float, float, float, float]] = []
    for element in texts(spec):
        wide, high = measure(element["text"], element["fontFamily"], element["fontSize"])
        boxes.append((element["x"], element["y"], element["x"] + wide, element["y"] + high))
    main = texts(spec).index(headline(spec))
    _, top, _, bottom = boxes[main]
    edges = {
        "left": [box[0] for box in boxes],
        "center": [(box[0] + box[2]) / 2 for box in boxes],
        "right": [box[2] for box in boxes],
    }
    spread = {name: max(values) - min(values) for name, values in edges.items()}
    align = min(spread, key=lambda name: spread[name])
    third = "top middle bottom".split()[min(2, int(3 * (top + bottom) / 2 / height))]
    above = sum(box[1] < top for box in boxes)
    size = texts(spec)[main]["fontSize"] / min(width, height)
    return LayoutClass(
        align=align if spread[align] <= 0.06 * width else "mixed",
        headline=third,
        order=("first", "second")[above] if above < 2 else "later",
        scale="huge" if size > 0.125 else "large" if size > 0.085 else "small",
    )


def words(text: str) -> list[str]:
    return re.findall(r"[\w'’]+", text.lower())


def copied(spec: Spec, prompt: str) -> tuple[int, int]:
    """(words of the copy that are words of the brief, words of the copy), names and figures included."""
    brief = set(words(prompt))
    said = [word for element in texts(spec) for word in words(element["text"])]
    return sum(word in brief for word in said), len(said)


def repeats(spec: Spec) -> int:
    """How many texts stand there a second time."""
    said = [element["text"].lower() for element in texts(spec)]
    return len(said) - len(set(said))


def brief_words(spec: Spec, prompt: str) -> int:
    """How many different words of the brief the copy takes up."""
    said = {word for element in texts(spec) for word in words(element["text"])}
    return len(said.intersection(words(prompt)))


def echo(spec: Spec, prompt: str) -> int:
    """The longest run of consecutive words of the brief in one text, names left out."""
    for name in find_facts(prompt).names:
        prompt = prompt.replace(name, " \x00 ")
    brief = [words(part) for part in prompt.split("\x00")]
    return max(_longest_run(words(element["text"]), part) for element in texts(spec) for part in brief)


def _longest_run(a: Sequence[str], b: Sequence[str]) -> int:
    best = 0
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for at, other in enumerate(b, 1):
            before, row[at] = row[at], before + 1 if word == other else 0
            best = max(best, row[at])
    return best


def on_topic(spec: Spec, stems: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a word of the copy, names left out, contains one of the topic's stems."""
    copy = " ".join(element["text"].replace("\n", " ") for element in texts(spec))
    for name in names:
        copy = re.sub(re.escape(name), " ", copy, flags=re.IGNORECASE)
    return any(stem in copy.lower() for stem in stems)


def says(spec: Spec, fact: str) -> bool:
    """Whether `fact` stands in the design to the letter; a name may be broken over two lines or shouted."""
    copy = " \x00 ".join(re.sub(r"\s+", " ", element["text"]) for element in texts(spec))
    return fact in copy or fact.upper() in copy


def overall(answer: str, brief: Brief) -> float:
    """One number from 0 to 1: 0 when `answer` is no usable design; else the mean of the share of the brief's facts that
    it shows, of contrast as far as BODY_CONTRAST, and of not reading the brief aloud."""
    try:
        spec = check(answer, brief, ("text", "rect", "image"))
    except UpstreamInvalid:
        return 0.0
    if not texts(spec):
        return 0.0
    required = find_facts(brief.prompt).required
    shown = 1 - len(missing(spec, brief)) / len(required) if required else 1.0
    readable = min(1.0, body_contrast(spec) / BODY_CONTRAST)
    return round((shown + readable + (echo(spec, brief.prompt) <= MAX_ECHO)) / 3, 4)
