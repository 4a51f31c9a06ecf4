"""Where the texts of a design go. A layout is a list of stacks; a stack is a column of texts that share an edge."""

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "center", "right"]
Anchor = Literal["top", "middle", "bottom"]


@dataclass(frozen=True)
class Stack:
    roles: tuple[str, ...]
    """Texts from top to bottom; those that the copy lacks are left out."""
    anchor: Anchor
    align: Align = "left"
    column: tuple[float, float] = (0.0, 1.0)
    """left and right edge as shares of the room between the margins"""


@dataclass(frozen=True)
class Layout:
    name: str
    stacks: tuple[Stack, ...]
    headline: float
    """size of the headline in px on a canvas whose shorter side is 1080"""
    moods: tuple[str, ...] = ()
    """the moods that it suits; none: fits when no mood is asked"""


FACTS = ("offer", "offer2", "count", "when", "where")
REST = ("line", "line2", *FACTS, "cta")
ALL = ("brand", "headline", *REST)
TALL = (
    Layout("column", (Stack(ALL, "top"),), 112),
    Layout("centre", (Stack(ALL, "middle", "center"),), 104, ("pastel",)),
    Layout("base", (Stack(ALL, "bottom"),), 116, ("dark",)),
    Layout("poster", (Stack(("headline",), "top"), Stack(("brand", *REST), "bottom")), 168, ("loud",)),
    Layout(
        "split",
        (Stack(("brand",), "top"), Stack(("headline", "line", "line2"), "middle"), Stack((*FACTS, "cta"), "bottom")),
        120,
        ("dark",),
    ),
    Layout(
        "frame",
        (
            Stack(("brand",), "top", "center"),
            Stack(("headline", "line", "line2", *FACTS), "middle", "center"),
            Stack(("cta",), "bottom", "center"),
        ),
        100,
        ("pastel", "dark"),
    ),
    Layout(
        "whisper",
        (Stack(("headline", "line", "line2"), "middle", "center"), Stack(("brand", *FACTS, "cta"), "bottom", "center")),
        68,
        ("quiet",),
    ),
    Layout(
        "margin",
        (Stack(("brand", "headline", "line"), "top"), Stack(("line2", *FACTS, "cta"), "bottom")),
        76,
        ("quiet",),
    ),
    Layout("right", (Stack(ALL, "middle", "right"),), 108),
    Layout(
        "corner",
        (Stack(("headline", "line", "line2"), "top"), Stack(("brand", *FACTS, "cta"), "bottom", "left", (0.4, 1.0))),
        124,
    ),
    Layout(
        "offer",
        (
            Stack(("offer", "headline"), "top"),
            Stack(("line", "line2", "offer2", "count", "when", "where", "cta", "brand"), "bottom"),
        ),
        132,
        ("loud",),
    ),
    Layout(
        "banner",
        (Stack(("brand", *FACTS), "top", "center"), Stack(("headline", "line", "line2", "cta"), "bottom", "center")),
        128,
        ("loud", "pastel"),
    ),
)
WIDE = (
    Layout(
        "columns",
        (Stack(("brand", "headline"), "middle", "left", (0.0, 0.55)), Stack(REST, "middle", "left", (0.62, 1.0))),
        128,
    ),
    Layout("wide column", (Stack(ALL, "middle"),), 104, ("quiet",)),
    Layout("wide centre", (Stack(ALL, "middle", "center"),), 104, ("pastel",)),
    Layout(
        "wide poster",
        (
            Stack(("headline",), "top"),
            Stack(("brand", "line", "line2"), "bottom", "left", (0.0, 0.48)),
            Stack((*FACTS, "cta"), "bottom", "left", (0.58, 1.0)),
        ),
        188,
        ("loud",),
    ),
    Layout(
        "wide base",
        (
            Stack(("brand",), "top"),
            Stack(("headline", "line", "line2"), "bottom", "left", (0.0, 0.58)),
            Stack((*FACTS, "cta"), "bottom", "left", (0.64, 1.0)),
        ),
        140,
        ("dark",),
    ),
    Layout(
        "mirror",
        (Stack(REST, "middle", "left", (0.0, 0.4)), Stack(("brand", "headline"), "middle", "right", (0.45, 1.0))),
        128,
        ("loud", "dark"),
    ),
    Layout(
        "wide margin",
        (
            Stack(("brand", "headline", "line"), "top", "left", (0.0, 0.62)),
            Stack(("line2", *FACTS, "cta"), "bottom", "left", (0.62, 1.0)),
        ),
        88,
        ("quiet",),
    ),
    Layout(
        "wide frame",
        (
            Stack(("brand",), "top", "center"),
            Stack(("headline", "line", "line2", *FACTS), "middle", "center"),
            Stack(("cta",), "bottom", "center"),
        ),
        104,
        ("pastel", "dark"),
    ),
)
DEFAULT_ACCENTED = ("brand", "offer", "cta")
ACCENTED: dict[str | None, tuple[str, ...]] = {"loud": ("brand", "cta", "when")}
FONTS: dict[str | None, tuple[tuple[str, str], ...]] = {
    "loud": (("Fredoka", "Poppins"), ("Montserrat", "Montserrat"), ("Poppins", "Inter")),
    "quiet": (("Inter", "Inter"), ("Lora", "Inter"), ("Lora", "Lora")),
    "pastel": (("Nunito", "Nunito"), ("Fredoka", "Nunito"), ("Amatic SC", "Nunito")),
    "dark": (("Playfair Display", "Inter"), ("Merriweather", "Roboto"), ("Playfair Display", "Lora")),
    None: (("Montserrat", "Inter"), ("Poppins", "Poppins"), ("Roboto", "Roboto"), ("Lora", "Roboto"), ("Merriweather", "Lora"), ("Nunito", "Inter"), ("Playfair Display", "Inter")),
}  # fmt: skip


def layouts_for(width: int, height: int, mood: str | None) -> list[Layout]:
    every = WIDE if width > 1.2 * height else TALL
    return [layout for layout in every if mood in layout.moods] if mood else list(every)
