"""Training records: {"prompt", "platform", "format", "response": <spec>}, one JSON object a line."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.design.brief import Brief
from shared.design.check import SPEC, first_error


def dumps(spec: Mapping[str, Any]) -> str:
    """The one spelling of a spec: compact, keys in the schema's order. Models learn it and answer in it."""
    return json.dumps(spec, separators=(",", ":"), ensure_ascii=False)


def read_record(row: Mapping[str, Any]) -> tuple[Brief, dict[str, Any]]:
    """The brief and the spec of one record. Raises InvalidRequest or ValueError, naming the field."""
    for field in ("prompt", "platform", "format"):
        if not isinstance(row.get(field), str):
            raise ValueError(f"`{field}` must be a string")
    brief = Brief(prompt=row["prompt"], platform=row["platform"], format=row["format"])
    response = row.get("response")
    try:
        spec = SPEC.validate_json(response) if isinstance(response, str) else SPEC.validate_python(response)
    except ValidationError as error:
        raise ValueError(first_error(error, "response")) from error
    return brief, spec.model_dump()
