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


def messages(brief: Brief) -> list[dict[str, Any]]:
    """Chat messages in OpenAI's shape: the task, then canvas and brief, then the facts that the copy has to show.

    The brief's facts are said once more because a list is what a model, small or large, leaves nothing out of.
    """
    canvas = f"{brief.platform} {brief.format} {brief.width}x{brief.height}"
    required = find_facts(brief.prompt).required
    show = ["Show: " + "; ".join(required)] if required else []
    asked = "\n".join([canvas, brief.prompt, *show])
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]


def brief_of(asked: object) -> Brief | None:
    """The brief that `messages` was given, read from what it made of it; None for any other chat."""
    try:
        canvas, _, rest = str(cast(Any, asked)[1]["content"]).partition("\n")
        platform, format, _ = canvas.split()
        briefs = [
            Brief(prompt=prompt, platform=platform, format=format)
            for prompt in (rest.rpartition("\nShow: ")[0], rest)
            if prompt
        ]
    except (TypeError, ValueError, LookupError, InvalidRequest):
        return None
    return next((brief for brief in briefs if messages(brief) == asked), None)


def response_format(brief: Brief, elements: Sequence[str] = ("text",)) -> dict[str, Any]:
    """OpenAI's `response_format`: a strict JSON schema of the spec for this brief and its canvas."""
    unknown = [name for name in elements if name not in ELEMENTS]
    if unknown or not elements:
        raise InvalidRequest(f"`elements` is a list out of {', '.join(ELEMENTS)}", param="elements")
    kinds = [ELEMENTS[name](brief) for name in dict.fromkeys(elements)]
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


def _text(brief: Brief) -> dict[str, Any]:
    return _object(
        {
            "type": {"type": "string", "enum": ["text"]},
            "text": {
                "type": "string",
                "description": "copy; a newline breaks the line; names and figures exactly as in the brief, no others",
                "pattern": copy_pattern(find_facts(brief.prompt).spans),
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


def _rect(brief: Brief) -> dict[str, Any]:
    kind = {"type": {"type": "string", "enum": ["rect"]}}
    return _object({**kind, **_corner(brief), **_size(brief), "color": _color("the fill")})


def _image(brief: Brief) -> dict[str, Any]:
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


def copy_pattern(spans: Sequence[str]) -> str:
    """A regular expression of copy in which names and figures can only be `spans`, verbatim.

    Capitals open a sentence or a line and stand nowhere else, digits nowhere, unless as a part of a span. A text all in
    capitals is allowed too: a shout. No look-around, no back-reference: OpenAI and llguidance both take it.
    """
    span = "|".join(_literal(span) for span in spans)
    free = f"[{LOWER}]+"
    word = f"(?:{free}|{span})" if span else free
    opening = f"(?:[{UPPER}][{LOWER}]*|{word})"
    said = f"{opening}(?:{JOINT}{word}|{STOP}{opening}){{0,{MAX_WORDS}}}"
    loud = f"[{UPPER}]+" + (f"|{span}" if span else "")
    shout = f"(?:{loud})(?:(?:{JOINT}|{STOP})(?:{loud})){{0,{MAX_WORDS}}}"
    return f"^(?:{said}|{shout}){END}$"


def _literal(span: str) -> str:
    """The span, its spaces also as a line break unless beside a digit: a name may be broken over two lines."""
    return re.sub(r"(?<!\d)\s+(?!\d)", r"[ \\n]", re.sub(r"([\\.+*?()|\[\]{}^$-])", r"\\\1", span))
