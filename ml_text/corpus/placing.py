"""Texts become boxes: broken into lines, sized, piled up and checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ml_text.corpus.layouts import DEFAULT_ACCENTED, Layout, Stack
from ml_text.corpus.topics import Palette
from shared.design.fonts import measure
from shared.design.prompt import GRID

SIZES = (20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 72, 80, 92, 104, 116, 128, 148, 168, 188)
SHARE = {
    "brand": 0.40,
    "line": 0.40,
    "line2": 0.36,
    "offer": 0.56,
    "offer2": 0.44,
    "count": 0.40,
    "when": 0.46,
    "where": 0.42,
    "cta": 0.48,
}
"""size of a role's text in units of the headline's"""
LEAST = 32
"""smallest text in px on a canvas whose shorter side is 1080: an ad is read on a telephone"""
UNIT = re.compile(
    r"[€$£%\d]|(?:percent|euros?|dollars?|pounds?|EUR|USD|[ap]m|January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
"""what belongs to the figure before it: no line begins with it"""
FILL = 0.86
"""how much of its column a line may fill, so that a slightly wider font still fits"""
MARGIN, GAP = 0.085, 0.045
"""round the canvas and between two texts, in units of the shorter side: so wide that a model which misjudges a text's
box by a grid step still makes a design that can be used"""


def place(
    copy: dict[str, str],
    layout: Layout,
    palette: Palette,
    fonts: tuple[str, str],
    canvas: tuple[int, int],
    accented: Sequence[str] = DEFAULT_ACCENTED,
) -> dict[str, Any] | None:
    """A spec, or None when the copy does not fit into the layout at a readable size.

    `fonts` are the headline's and the other texts' families; the `accented` roles have the palette's accent colour.
    """
    width, height = canvas
    roles = [role for stack in layout.stacks for role in stack.roles]
    texts = {role: text for role, text in copy.items() if role in roles}
    for shrink in (1.0, 0.88, 0.76, 0.66, 0.58):
        boxes = _arrange(texts, layout, fonts, shrink * min(width, height) / 1080, canvas)
        if boxes is not None:
            return {"background_color": palette[0], "elements": [_element(box, palette, accented) for box in boxes]}
    return None


@dataclass
class _Box:
    role: str
    text: str
    size: int
    family: str
    width: int
    height: int
    x: int = 0
    y: int = 0


def _arrange(
    texts: dict[str, str], layout: Layout, fonts: Sequence[str], scale: float, canvas: tuple[int, int]
) -> list[_Box] | None:
    width, height = canvas
    margin = _up(round(MARGIN * min(width, height)))
    room = width - 2 * margin
    placed: list[list[_Box]] = []
    for stack in layout.stacks:
        left, right = (margin + _grid(edge * room) for edge in stack.column)
        boxes = [
            _fit(role, texts[role], layout.headline, fonts, scale, canvas, right - left)
            for role in stack.roles
            if role in texts
        ]
        if any(box is None for box in boxes):
            return None
        column = [box for box in boxes if box is not None]
        gap = _up(round(GAP * min(width, height)))
        _pile(column, stack, margin, left, right, height, gap)
        placed.append(column)
    every = [box for column in placed for box in column]
    return every if _clear(every, canvas, margin) else None


def _fit(
    role: str, text: str, headline: float, fonts: Sequence[str], scale: float, canvas: tuple[int, int], room: int
) -> _Box | None:
    """The text broken into at most three lines, at the role's size or the next smaller one that fits."""
    family = fonts[0] if role == "headline" else fonts[1]
    target = headline * scale * (SHARE.get(role, 1.0))
    least = LEAST * min(canvas) / 1080 * 0.8
    for size in reversed([size for size in SIZES if size <= max(target, least) * 1.04]):
        if size < least:
            break
        for lines in (1, 2, 3) if role in ("headline", "line", "line2") else (1, 2):
            broken = _break(text, lines)
            if broken is None:
                continue
            wide, high = measure(broken, family, size)
            if wide <= FILL * room:
                return _Box(role, broken, size, family, wide, high)
    return None


def _break(text: str, lines: int) -> str | None:
    """The text in `lines` lines of about the same length, or None when it has fewer words."""
    if "\n" in text:
        return text if lines >= 1 else None
    words = text.split(" ")
    if len(words) < lines:
        return None
    if lines == 1:
        return text
    cuts = (
        [(i,) for i in range(1, len(words))]
        if lines == 2
        else [(i, j) for i in range(1, len(words)) for j in range(i + 1, len(words))]
    )
    every = [_split(words, cut) for cut in cuts]
    splits = [split for split in every if not any(UNIT.match(line) for line in split[1:])]
    return "\n".join(min(splits, key=lambda split: max(len(line) for line in split))) if splits else None


def _split(words: list[str], cuts: tuple[int, ...]) -> list[str]:
    edges = (0, *cuts, len(words))
    return [" ".join(words[a:b]) for a, b in pairwise(edges)]


def _pile(column: list[_Box], stack: Stack, margin: int, left: int, right: int, height: int, gap: int) -> None:
    """Positions from top to bottom; every y on the grid, so the pile's height is known only afterwards."""
    offsets: list[int] = []
    y = 0
    for box in column:
        offsets.append(y)
        y = _up(y + box.height) + gap
    total = y - gap if column else 0
    start = {"top": margin, "middle": _grid((height - total) / 2), "bottom": (height - margin - total) // GRID * GRID}[
        stack.anchor
    ]
    for box, offset in zip(column, offsets, strict=True):
        box.y = start + offset
        free = right - left - box.width
        box.x = left + {"left": 0, "center": _grid(free / 2), "right": free // GRID * GRID}[stack.align]


def _clear(boxes: list[_Box], canvas: tuple[int, int], margin: int) -> bool:
    """Inside the margins, and at least one grid step between any two."""
    width, height = canvas
    edge = margin // 2
    if any(b.x < edge or b.y < edge or b.x + b.width > width - edge or b.y + b.height > height - edge for b in boxes):
        return False
    return not any(
        a.x < b.x + b.width + GRID
        and b.x < a.x + a.width + GRID
        and a.y < b.y + b.height + GRID // 2
        and b.y < a.y + a.height + GRID // 2
        for at, a in enumerate(boxes)
        for b in boxes[at + 1 :]
    )


def _element(box: _Box, palette: Palette, accented: Sequence[str]) -> dict[str, Any]:
    color = palette[2] if box.role in accented else palette[1]
    return {
        "type": "text",
        "text": box.text,
        "x": box.x,
        "y": box.y,
        "fontSize": box.size,
        "color": color,
        "fontFamily": box.family,
    }


def _grid(value: float) -> int:
    return round(value / GRID) * GRID


def _up(value: int) -> int:
    return -(-value // GRID) * GRID
