"""How models and their versions are called: `ft:gpt2:acme:ads` is a model, `ft:gpt2:acme:ads:3` its third version."""

import re

from shared.errors import InvalidRequest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
VERSION = re.compile(r"[0-9][0-9a-f-]{0,39}")
NUMBERED = re.compile(r"([1-9][0-9]{0,8})-[0-9a-f]{6}")
"""A version's folder: its number, and six digits that differ when a name is given away and published anew."""
CARD = "card.json"


def is_name(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and ".." not in name


def check_name(name: str) -> str:
    """`name`, if it is safe as a folder's name; else InvalidRequest on `model`."""
    if not is_name(name):
        raise InvalidRequest(
            f"{name!r} is not a model name: letters, digits and . _ : - only, 100 at most", param="model"
        )
    return name


def split(name: str) -> tuple[str, str] | None:
    """(model, version number or id) when `name` may mean a version, else None."""
    model, _, version = name.rpartition(":")
    return (model, version) if is_name(model) and VERSION.fullmatch(version) else None


def model_of(name: str) -> str:
    """`name` without a version's id at its end."""
    model, _, version = name.rpartition(":")
    return model if NUMBERED.fullmatch(version) else name


def number_of(version: str) -> int | None:
    """The version's number; None for one that was published before versions had numbers."""
    found = NUMBERED.fullmatch(version)
    return int(found[1]) if found else None
