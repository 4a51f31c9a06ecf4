"""What the fake says: words, or a design that follows from the brief. Same messages and seed, same answer."""

import hashlib
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from schema_values import fit

PALETTES = (  # background, headline, body: at least 4.5:1 each
    ("#1a1a2e", "#ffffff", "#f5c06f"),
    ("#fdf6ec", "#3b2417", "#7a3b1d"),
    ("#0b3d2e", "#ffffff", "#d8f3dc"),
    ("#fff0f3", "#590d22", "#800f2f"),
    ("#03045e", "#ffffff", "#caf0f8"),
    ("#f1faee", "#1d3557", "#1d3557"),
    ("#240046", "#ffffff", "#ffd166"),
    ("#fefae0", "#283618", "#5c3d0c"),
    ("#000000", "#ffffff", "#e0e0e0"),
    ("#ffffff", "#111111", "#333333"),
    ("#7f1d1d", "#ffffff", "#fee2e2"),
    ("#e0f2fe", "#0c4a6e", "#075985"),
)
FONTS = ("Montserrat", "Playfair Display", "Roboto", "Lora", "Open Sans", "Georgia")
HEADLINES = ("Meet {name}", "{name} is here", "Say hello to {name}", "This week: {name}", "{name}, made for you")
LINES = ("Made with care, ready today", "Small batch, big smile", "Come in and see", "You will want to tell a friend")
ACTIONS = ("Visit us", "Book now", "Find out more", "Order today", "Come by")
HELD = "\N{NO-BREAK SPACE}"
PUNCTUATION = ".,;:!?()[]\"'“”‘’"
REPLIES = (
    "You asked: {ask} Here is a short answer.",
    "About “{ask}”: it depends, and here is why.",
    "Good question. {ask} In one line: yes, with care.",
)


def words(messages: Sequence[Mapping[str, Any]]) -> str:
    """All that the user's last message says, its text parts joined."""
    users = [message for message in messages if message.get("role") == "user"]
    content = users[-1].get("content") if users else ""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


def chance(*given: object) -> Random:
    digest = hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def reply(messages: Sequence[Mapping[str, Any]], seed: int | None) -> str:
    ask = " ".join(words(messages).split()[:12])
    return chance(messages, seed).choice(REPLIES).format(ask=ask)


def structured(messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], seed: int | None) -> str:
    """Compact JSON of `schema`: a design when the schema has a background colour and elements."""
    properties = schema.get("properties", {})
    is_design = {"background_color", "elements"} <= set(properties)
    wanted = design(messages, properties["elements"], seed) if is_design else {}
    return json.dumps(fit(schema, wanted), separators=(",", ":"), ensure_ascii=False)


def design(messages: Sequence[Mapping[str, Any]], elements: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    """Three texts, one below the other, at a left margin of a tenth."""
    random = chance(messages, seed)
    asked = words(messages)
    width, height = _canvas(asked)
    names, figures = _facts(asked, _copy_pattern(elements))
    background, loud, calm = random.choice(PALETTES)
    font, margin = random.choice(FONTS), width // 10
    headline = random.choice(HEADLINES).format(name=names[0]) if names else random.choice(LINES)
    offer = ", ".join([*names[1:], *figures, random.choice(LINES).lower()])
    copy = [(headline, 1.0, loud), (offer, 0.5, calm), (random.choice(ACTIONS), 0.6, loud)]
    lines = _set([(text, part) for text, part, _ in copy], int(width * 0.8), int(height * 0.8), height // 9)
    y, placed = height // 10, []
    for (text, size), (_, _, color) in zip(lines, copy, strict=True):
        box = {"type": "text", "text": text, "x": margin, "y": y, "fontSize": size}
        placed.append({**box, "color": color, "fontFamily": font})
        y += _height(text, size)
    return {"background_color": background, "elements": placed}


def _set(copy: Sequence[tuple[str, float]], width: int, height: int, size: int) -> list[tuple[str, int]]:
    """The texts in lines, with font sizes as large as the space allows; `part` is each one's share of the largest."""
    lines: list[tuple[str, int]] = []
    for largest in range(size, 15, -4):
        lines = []
        for text, part in copy:
            px = max(16, int(largest * part) // 4 * 4)
            whole = re.sub(r"(?<=\d) | (?=\d)", HELD, text)  # a figure and its unit share a line
            fold = textwrap.wrap(whole, max(1, int(width / px / 0.66)), break_long_words=False, break_on_hyphens=False)
            lines.append(("\n".join(fold).replace(HELD, " "), px))
        widest = max(len(line) * px * 0.66 for text, px in lines for line in text.split("\n"))
        if widest <= width and sum(_height(text, px) for text, px in lines) <= height:
            break
    return lines


def _height(text: str, size: int) -> int:
    return int(1.25 * size * (text.count("\n") + 1)) + 40


def _canvas(text: str) -> tuple[int, int]:
    size = re.search(r"(\d{3,4})\s*[x×]\s*(\d{3,4})", text)
    return (int(size[1]), int(size[2])) if size else (1080, 1080)


def _copy_pattern(elements: Mapping[str, Any]) -> re.Pattern[str]:
    """What the schema lets a text say."""
    items = elements.get("items", {})
    kinds = items.get("anyOf", [items])
    patterns = [kind.get("properties", {}).get("text", {}).get("pattern") for kind in kinds]
    return re.compile(next(filter(None, patterns), ""))


def _facts(asked: str, allowed: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Names and figures of the brief, the longest run of words that may be said in the middle of a sentence first."""
    brief = "\n".join(line for line in asked.splitlines() if not re.search(r"\d{3,4}\s*[x×]\s*\d{3,4}", line))
    names, figures = [], []
    pieces = [piece.strip(PUNCTUATION) for piece in brief.split()]
    at = 0
    while at < len(pieces):
        for count in range(min(6, len(pieces) - at), 0, -1):
            run = " ".join(pieces[at : at + count])
            inner = pieces[at + 1 : at + count - 1]
            ends = (pieces[at], pieces[at + count - 1])
            proper = all(re.search(r"[A-ZÀ-Þ\d]", end) for end in ends) and all(
                re.match(r"[A-ZÀ-Þ\d&+]|\w{1,3}$", piece) for piece in inner
            )
            if (proper or _is_figure(run)) and run in brief and allowed.search(f"with {run}"):
                (figures if re.search(r"\d", run) else names).append(run)
                at += count - 1
                break
        at += 1
    names += re.findall(r"\b(?:called|named)\s+([a-zà-ÿ][\w’']*(?: [a-zà-ÿ][\w’']*)?)(?=\s*(?:[,.;:!?)]|$))", brief)
    return list(dict.fromkeys(names))[:8], list(dict.fromkeys(figures))[:8]


def _is_figure(run: str) -> bool:
    return re.match(r"\d", run) is not None
