"""Whether an answer is a design: valid, inside the canvas, nothing overlapping, no figure that is not the brief's."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.design.brief import Brief
from shared.design.facts import NUMBER, find_facts
from shared.design.fonts import measure
from shared.errors import InvalidRequest, UpstreamInvalid

Color = Field(pattern=r"^#[0-9a-fA-F]{6}$")
Px = Field(ge=0, le=4096)


class Text(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str = Field(min_length=1, max_length=200)
    x: int = Px
    y: int = Px
    fontSize: int = Field(ge=8, le=400)
    color: str = Color
    fontFamily: str = Field(min_length=1, max_length=40)

    @property
    def box(self) -> "Box":
        width, height = measure(self.text, self.fontFamily, self.fontSize)
        return Box(self.x, self.y, self.x + width, self.y + height)


class Rect(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["rect"]
    x: int = Px
    y: int = Px
    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    color: str = Color

    @property
    def box(self) -> "Box":
        return Box(self.x, self.y, self.x + self.width, self.y + self.height)


class Image(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["image"]
    prompt: str = Field(max_length=400)
    x: int = Px
    y: int = Px
    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)

    @property
    def box(self) -> "Box":
        return Box(self.x, self.y, self.x + self.width, self.y + self.height)


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    background_color: str = Color
    elements: list[Annotated[Text | Rect | Image, Field(discriminator="type")]] = Field(min_length=1, max_length=40)


class Box(NamedTuple):
    """px, right and bottom exclusive"""

    left: int
    top: int
    right: int
    bottom: int

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


SPEC = TypeAdapter(Spec)


def check(answer: str, brief: Brief, elements: Sequence[str] = ("text",)) -> dict[str, Any]:
    """The spec in `answer`. Raises UpstreamInvalid, saying everything that is wrong; changes nothing."""
    try:
        spec = SPEC.validate_json(answer)
    except ValidationError as error:
        raise UpstreamInvalid(f"not a design spec: {first_error(error)}") from error
    wrong = problems(spec, brief, elements)
    if wrong:
        raise UpstreamInvalid("not a usable design: " + "; ".join(wrong[:5]))
    return json.loads(answer)


def check_edited(spec: object, brief: Brief) -> dict[str, Any]:
    """A spec that a person edited, e.g. `edited_spec` of a feedback. Raises InvalidRequest; layout is theirs."""
    try:
        return SPEC.validate_python(spec).model_dump()
    except ValidationError as error:
        raise InvalidRequest(first_error(error, "edited_spec"), param="edited_spec") from error


def first_error(error: ValidationError, root: str = "") -> str:
    """ "root.elements.0.x: what is wrong": the first of pydantic's errors, without its name for the kind of element."""
    first = error.errors()[0]
    path = first["loc"]
    parts = [str(part) for at, part in enumerate(path) if at == 0 or not isinstance(path[at - 1], int)]
    return ".".join([root] * bool(root) + parts) + f": {first['msg']}"


def problems(spec: Spec, brief: Brief, elements: Sequence[str] = ("text",)) -> list[str]:
    """Everything that is wrong with a well-formed spec, in words; empty when it can be used."""
    found = [f"element {i} is a {e.type}" for i, e in enumerate(spec.elements) if e.type not in elements]
    boxes = [element.box for element in spec.elements]
    found += [
        f"element {i} leaves the canvas"
        for i, box in enumerate(boxes)
        if box.left < 0 or box.top < 0 or box.right > brief.width or box.bottom > brief.height
    ]
    texts = [(i, box) for i, box in enumerate(boxes) if isinstance(spec.elements[i], Text)]
    found += [
        f"elements {i} and {j} overlap"
        for at, (i, box) in enumerate(texts)
        for j, other in texts[at + 1 :]
        if box.overlaps(other)
    ]
    return found + foreign([e.text for e in spec.elements if isinstance(e, Text)], brief)


def foreign(texts: Sequence[str], brief: Brief) -> list[str]:
    """Figures that the brief does not have, in words."""
    facts = find_facts(brief.prompt)
    allowed = {number for fact in (*facts.figures, *facts.names) for number in re.findall(NUMBER, fact)}
    said = [number for text in texts for number in re.findall(NUMBER, text)]
    return [f"{number!r} is not in the brief" for number in said if number not in allowed]


def missing(spec: Mapping[str, Any], brief: Brief) -> list[str]:
    """Names, prices, percentages and dates of the brief that the copy does not show to the letter."""
    texts = [str(element["text"]) for element in spec["elements"] if element["type"] == "text"]
    copy = " \n ".join(re.sub(r"\s+", " ", text) for text in texts)
    required = find_facts(brief.prompt).required
    return [fact for fact in required if fact not in copy and fact.upper() not in copy]
