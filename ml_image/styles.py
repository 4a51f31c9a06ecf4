"""Styles by name: words around a prompt, or an adapter. A team's own table and a model's own come before this one's.

{"house": {"prompt": "{prompt}, in our house style", "negative_prompt": "text", "adapter": "ft:starter:acme:house"}}
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from shared.errors import InvalidRequest

TABLE = Path(__file__).parent / "styles.json"
FILE = "styles.json"
"""In a model's folder: how this model wants to be told."""


class Style(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = "{prompt}"
    """`{prompt}` stands for what the request says."""
    negative_prompt: str = ""
    adapter: str | None = None
    """A published adapter that pictures in this style are made with."""

    @field_validator("prompt")
    @classmethod
    def _has_place(cls, prompt: str) -> str:
        if prompt.count("{prompt}") != 1:
            raise ValueError("{prompt} must stand in it once")
        return prompt

    def apply(self, prompt: str, negative: str) -> tuple[str, str]:
        """What the model is told instead."""
        avoided = [words for words in (negative, self.negative_prompt) if words]
        return self.prompt.replace("{prompt}", prompt), ", ".join(avoided)


Styles = Mapping[str, Style]
_TABLE = TypeAdapter(dict[str, Style])


def read_styles(path: Path) -> Styles:
    """Raises InvalidRequest, with what is wrong, for a file that is no table of styles."""
    try:
        return _TABLE.validate_python(json.loads(path.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{path}: {where}: {first['msg']}", param="style") from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"the styles in {path} cannot be read: {error}", param="style") from error


def find_style(name: str, own: Path | None, model: Path) -> Style:
    """The style `name`, by the team's file `own`, the model's folder, this table. Raises InvalidRequest."""
    tables = [read_styles(path) for path in (own, model / FILE, TABLE) if path is not None and path.is_file()]
    for table in tables:
        if name in table:
            return table[name]
    known = dict.fromkeys(name for table in tables for name in table)
    raise InvalidRequest(f"there is no style {name[:100]!r}; there is {', '.join(known)}", param="style")
