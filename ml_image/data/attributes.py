"""What can be asked of a scene's picture, attribute by attribute, and which of it a caption has named."""

import re
from dataclasses import dataclass

from shared.scenes import Scene, backdrop, landscape, pattern, product
from shared.scenes.colors import COLORS

KINDS = ("Landscape", "Product", "Pattern", "Backdrop")
NONE = "none"
PAIR = "colors"
"""The attribute that has two values at once, in any order: a pattern's colors."""


@dataclass(frozen=True)
class Attribute:
    kind: str
    name: str
    """As the scene's field is called."""
    values: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.name}"


def _values(*values: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value or NONE for value in values))


_THINGS = _values(*(thing for things in landscape.THINGS.values() for thing in things))
_COLORS = tuple(COLORS)
ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("", "kind", KINDS),
    Attribute("Landscape", "terrain", tuple(landscape.THINGS)),
    Attribute("Landscape", "time", landscape.TIMES),
    Attribute("Landscape", "thing", _THINGS),
    Attribute("Landscape", "thing_color", landscape.PAINTS),
    Attribute("Landscape", "thing_place", landscape.PLACES),
    Attribute("Landscape", "body", ("sun", "moon", NONE)),
    Attribute("Landscape", "body_place", landscape.PLACES),
    Attribute("Landscape", "aloft", _values(*landscape.ALOFT)),
    Attribute("Landscape", "aloft_color", landscape.BALLOONS),
    Attribute("Product", "thing", tuple(product.DRAW)),
    Attribute("Product", "color", _COLORS),
    Attribute("Product", "backdrop", _COLORS),
    Attribute("Product", "surface", product.SURFACES),
    Attribute("Pattern", "style", tuple(pattern.DRAW)),
    Attribute("Pattern", PAIR, _COLORS),
    Attribute("Backdrop", "style", tuple(backdrop.DRAW)),
    Attribute("Backdrop", "color", _COLORS),
    Attribute("Backdrop", "accent", _COLORS),
    Attribute("Backdrop", "side", backdrop.SIDES),
)


def truth(scene: Scene) -> dict[str, tuple[str, ...]]:
    """Attribute's key -> its value, or both of a pair. What cannot be seen (the place of nothing) is left out."""
    kind = type(scene).__name__
    found: dict[str, tuple[str, ...]] = {".kind": (kind,)}
    if isinstance(scene, pattern.Pattern):
        return {**found, "Pattern.style": (scene.style,), f"Pattern.{PAIR}": (scene.first, scene.second)}
    for attribute in ATTRIBUTES:
        if attribute.kind == kind:
            value = getattr(scene, attribute.name)
            owner = {"thing_place": "thing", "body_place": "body"}.get(attribute.name)
            hidden = owner is not None and getattr(scene, owner) is None
            if not hidden and (value is not None or NONE in attribute.values):
                found[attribute.key] = (value or NONE,)
    return found


def named(scene: Scene, caption: str) -> dict[str, tuple[str, ...]]:
    """Those of `truth` that the caption says; the kind is none of them."""
    true = {key: value for key, value in truth(scene).items() if key != ".kind" and value != (NONE,)}
    if isinstance(scene, landscape.Landscape):
        things = "|".join(word for words in landscape.THING_WORDS.values() for word in words) + "|palm trees"
        where = "on the left|on the right|in the center"
        said = {
            "thing_place": re.search(f"({things}) ({where})", caption),
            "body": re.search("the (sun|moon)", caption.replace("on a sunny", "")),
            "body_place": re.search(f"the (sun|moon) ({where})", caption),
            "aloft": re.search("clouds|balloon|birds", caption),
            "aloft_color": re.search("balloon", caption),
        }
        true = {key: value for key, value in true.items() if said.get(key.partition(".")[2], True)}
    return true
