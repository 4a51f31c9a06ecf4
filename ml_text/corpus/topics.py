"""The lexicon: one JSON file per topic, with what a business of that kind sells and how an ad speaks of it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "topics"
Palette = tuple[str, str, str]
"""(background, text, accent), lower-case hex"""


@dataclass(frozen=True)
class Topic:
    topic: str
    businesses: tuple[str, ...]
    products: tuple[str, ...]
    occasions: tuple[str, ...]
    headlines: tuple[str, ...]
    lines: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]
    ctas: tuple[str, ...]
    palettes: tuple[Palette, ...]


@cache
def load_topics() -> tuple[Topic, ...]:
    """All topics, in the order of their names."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.json")))


def _read(path: Path) -> Topic:
    row = json.loads(path.read_text())
    name, palettes = row.pop("topic"), row.pop("palettes")
    colors = tuple(tuple(color.lower() for color in palette) for palette in palettes)
    return Topic(topic=name, palettes=colors, **{key: tuple(phrases) for key, phrases in row.items()})
