"""What a model is asked: messages, and the schema that its answer must have. The same for every provider."""

import re
from collections.abc import Sequence
from typing import Any, cast

from shared.design.brief import Brief
from shared.design.facts import find_facts
from shared.design.fonts import FAMILIES
from shared.errors import InvalidRequest

GRID = 20
"""Positions are multiples of this many px: what a designer's grid does, and fewer numbers to learn."""
FONT_STEP = 4
FONT_SIZES = (16, 200)
MAX_ELEMENTS = 8
MAX_WORDS = 17
"""More words than this in one box are no ad any more. Counted in words: a count of letters costs 10 times as much."""
MAX_PROMPT_CHARS = 400
COLOR = r"^#[0-9a-f]{6}$"
SYSTEM = "You design ads. Answer with one design spec as JSON."


def messages(brief: Brief, stressed: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Chat messages in OpenAI's shape: the task, then canvas and brief, then the facts that the copy has to show.

    The brief's facts are said once more because a list is what a model, small or large, leaves nothing out of.
    `stressed` are those that it did leave out: they close the brief and the list.
    """
    canvas = f"{brief.platform} {brief.format} {brief.width}x{brief.height}"
    required = (*find_facts(brief.prompt).required, *stressed)
    show = ["Show: " + "; ".join(required)] if required else []
    asked = "\n".join([canvas, brief.prompt + _stressing(stressed), *show])
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]


def brief_of(asked: object) -> Brief | None:
    """The brief that `messages` was given, read from what it made of it; None for any other chat."""
    try:
        canvas, _, rest = str(cast(Any, asked)[1]["content"]).partition("\n")
        platform, format, _ = canvas.split()
        wanted, _, shown = rest.rpartition("\nShow: ")
        facts = shown.split("; ")
        guesses: list[tuple[str, Sequence[str]]] = [(rest, ())]
        for stressed in (facts[start:] for start in range(len(facts), -1, -1)):
            guesses.append((wanted.removesuffix(_stressing(stressed)), stressed))
        briefs = [
            (Brief(prompt=prompt, platform=platform, format=format), stressed) for prompt, stressed in guesses if prompt
        ]
    except (TypeError, ValueError, LookupError, InvalidRequest):
        return None
    return next((brief for brief, stressed in briefs if messages(brief, stressed) == asked), None)


def _stressing(facts: Sequence[str]) -> str:
    """How a brief ends that a model did not heed."""
    return f". With {', '.join(facts)}" if facts else ""


def response_format(brief: Brief, elements: Sequence[str] = ("text",), stressed: Sequence[str] = ()) -> dict[str, Any]:
    """OpenAI's `response_format`: a strict JSON schema of the spec for this brief and its canvas.

    A capitalised word that begins like a fact in `stressed` can only be that fact, whole.
    """
    unknown = [name for name in elements if name not in ELEMENTS]
    if unknown or not elements:
        raise InvalidRequest(f"`elements` is a list out of {', '.join(ELEMENTS)}", param="elements")
    kinds = [ELEMENTS[name](brief, stressed) for name in dict.fromkeys(elements)]
    schema = _object(
        {
            "background_color": _color("the canvas's one colour"),
            "elements": {
                "type": "array",
                "description": "boxes that lie inside the canvas and do not overlap; headline, offer, call to action",
                "minItems": 1,
                "maxItems": MAX_ELEMENTS,
                "items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds},
            },
        }
    )
    return {"type": "json_schema", "json_schema": {"name": "design_spec", "strict": True, "schema": schema}}


def _text(brief: Brief, stressed: Sequence[str]) -> dict[str, Any]:
    return _object(
        {
            "type": {"type": "string", "enum": ["text"]},
            "text": {
                "type": "string",
                "description": "copy; a newline breaks the line; names and figures exactly as in the brief, no others",
                "pattern": copy_pattern(find_facts(brief.prompt).spans, stressed),
            },
            **_corner(brief),
            "fontSize": {
                "type": "integer",
                "description": "px; a line is 1.2 times as high, a letter about half as wide",
                "minimum": FONT_SIZES[0],
                "maximum": FONT_SIZES[1],
                "multipleOf": FONT_STEP,
            },
            "color": _color("contrast of at least 4.5 against the background"),
            "fontFamily": {"type": "string", "enum": list(FAMILIES)},
        }
    )


def _rect(brief: Brief, _: Sequence[str]) -> dict[str, Any]:
    kind = {"type": {"type": "string", "enum": ["rect"]}}
    return _object({**kind, **_corner(brief), **_size(brief), "color": _color("the fill")})


def _image(brief: Brief, _: Sequence[str]) -> dict[str, Any]:
    prompt = {"type": "string", "description": "what the picture shows", "maxLength": MAX_PROMPT_CHARS}
    kind = {"type": {"type": "string", "enum": ["image"]}}
    return _object({**kind, "prompt": prompt, **_corner(brief), **_size(brief)})


ELEMENTS = {"text": _text, "rect": _rect, "image": _image}
"""element type -> its schema on a brief's canvas"""


def _corner(brief: Brief) -> dict[str, Any]:
    return {
        "x": _grid("left edge of the box, px", brief.width - GRID),
        "y": _grid("top edge of the box, px", brief.height - GRID),
    }


def _size(brief: Brief) -> dict[str, Any]:
    return {"width": _grid("px", brief.width, GRID), "height": _grid("px", brief.height, GRID)}


def _grid(description: str, most: int, least: int = 0) -> dict[str, Any]:
    return {
        "type": "integer",
        "description": description,
        "minimum": least,
        "maximum": most // GRID * GRID,
        "multipleOf": GRID,
    }


def _color(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description, "pattern": COLOR}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


LOWER = "a-zß-öø-ÿ"
UPPER = "A-ZÀ-ÖØ-Þ"
JOINT = r"(?:[,;:)\"'’]? (?:[&+–—-] )?[(\"]?|[-/'’])"
"""Between two words of a sentence."""
STOP = r"(?:[.!?…]{1,3}[\"')]? |[.!?…,;:–—-]{0,3}[\"')]?\n[(\"]?)"
"""Between two sentences or lines."""
END = r"(?:[.!?…]{1,3}[\"')]?|[\"')])?"


STEM = 4
"""Letters in which a word counts as the beginning of a name."""


def copy_pattern(spans: Sequence[str], stressed: Sequence[str] = ()) -> str:
    """A regular expression of copy in which names and figures can only be `spans`, verbatim.

    Capitals open a sentence or a line and stand nowhere else, digits nowhere, unless as a part of a span. A text all in
    capitals is allowed too: a shout. A line or sentence that opens like a span in `stressed` opens with that span:
    where "Riverside Run" is stressed, none with "Rivers" or "Riverside, done properly". No look-around, no
    back-reference: OpenAI and llguidance both take it.
    """
    span = "|".join(_literal(span) for span in spans)
    free = f"[{LOWER}]+"
    word = f"(?:{free}|{span})" if span else free
    opening = f"(?:{_capitalised(stressed)}|{word})"
    said = f"{opening}(?:{JOINT}{word}|{STOP}{opening}){{0,{MAX_WORDS}}}"
    loud = f"[{UPPER}]+" + (f"|{span}" if span else "")
    shout = f"(?:{loud})(?:(?:{JOINT}|{STOP})(?:{loud})){{0,{MAX_WORDS}}}"
    return f"^(?:{said}|{shout}){END}$"


def _literal(span: str) -> str:
    """The span, its spaces also as a line break unless beside a digit: a name may be broken over two lines."""
    return re.sub(r"(?<!\d)\s+(?!\d)", r"[ \\n]", re.sub(r"([\\.+*?()|\[\]{}^$-])", r"\\\1", span))


def _capitalised(names: Sequence[str]) -> str:
    """A capitalised word that is not the first of a name's nor, in its first letters, looks like it."""
    firsts = [match.group() for name in names if (match := re.match(rf"[A-Z][{LOWER}]*(?!\w)", name))]
    stems = {first[:STEM] if len(first) > STEM else first + "$" for first in firsts}
    return _unlike(stems, "", f"[{UPPER}][{LOWER}]*")


def _unlike(stems: set[str], start: str, free: str) -> str:
    """What can follow `start` so that the word has no stem as its beginning; `free` when there is none to avoid.

    A stem that ends in "$" is a whole word: longer ones are allowed.
    """
    ahead = sorted({stem[len(start)] for stem in stems if stem.startswith(start)})
    if not ahead:
        return free
    letters = "".join(letter for letter in ahead if letter != "$")
    alphabet = "abcdefghijklmnopqrstuvwxyzß-öø-ÿ" if start else "ABCDEFGHIJKLMNOPQRSTUVWXYZÀ-ÖØ-Þ"
    others = re.sub(f"[{letters}]", "", alphabet) if letters else alphabet
    ways = [f"[{others}][{LOWER}]*"]
    ways += [
        letter + _unlike(stems, start + letter, f"[{LOWER}]*") for letter in letters if start + letter not in stems
    ]
    return f"(?:{'|'.join(ways)})" + ("?" if start and "$" not in ahead else "")
