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
    is_design = {"background_color", "elements"} <= set(schema.get("properties", {}))
    wanted = design(messages, seed) if is_design else {}
    return json.dumps(fit(schema, wanted), separators=(",", ":"), ensure_ascii=False)


def design(messages: Sequence[Mapping[str, Any]], seed: int | None) -> dict[str, Any]:
    """Three lines of text, one below the other, at a left margin of a tenth."""
    random = chance(messages, seed)
    width, height = _canvas(messages)
    brief = _brief(words(messages))
    background, loud, calm = random.choice(PALETTES)
    font = random.choice(FONTS)
    margin = width // 10
    copy = (
        (random.choice(HEADLINES).format(name=_name(brief)), width // 14, loud),
        (" ".join([*_figures(brief), random.choice(LINES)]), width // 30, calm),
        (random.choice(ACTIONS), width // 24, loud),
    )
    y, elements = height // random.randint(6, 9), []
    for text, size, color in copy:
        text = "\n".join(textwrap.wrap(text, int(width * 0.8 / size / 0.62))[:3])
        placed = {"type": "text", "text": text, "x": margin, "y": y, "fontSize": size}
        elements.append({**placed, "color": color, "fontFamily": font})
        y += int(size * 1.5 * (text.count("\n") + 1)) + height // 20
    return {"background_color": background, "elements": elements}


def _canvas(messages: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    sizes = re.findall(r"(\d{3,4})\s*[x×by]+\s*(\d{3,4})", json.dumps(list(messages), ensure_ascii=False))
    return (int(sizes[-1][0]), int(sizes[-1][1])) if sizes else (1080, 1080)


def _brief(text: str) -> str:
    """The brief without the lines that name platform, format and size."""
    lines = [line for line in text.splitlines() if not re.match(r"\W*(platform|format|canvas|size)\b", line, re.I)]
    return re.sub(r"^\W*(brief|prompt)\W+", "", " ".join(lines), flags=re.I) or text


def _name(brief: str) -> str:
    names = re.findall(r"(?<!^)(?<![.!?] )\b[A-Z][\w'’]*(?: [A-Z][\w'’]*)*", brief)
    return max(names, key=len) if names else " ".join(brief.split()[:3]) or "something new"


def _figures(brief: str) -> list[str]:
    return [f"{figure}." for figure in re.findall(r"\d+ ?%(?: off)?|[$€£]\d+(?:\.\d+)?", brief)]
