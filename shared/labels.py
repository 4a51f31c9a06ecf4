"""The filter `metadata[key]=value` of a query, as OpenAI's lists take it."""

import re
from collections.abc import Iterable
from typing import Any

from shared.errors import InvalidRequest

LABEL = re.compile(r"metadata\[(.+)\]")
MAX_LABELS = 16
METADATA: dict[str, Any] = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "description": "only those with these metadata: metadata[key]=value",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}
"""For /openapi.json."""


def read_labels(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Raises InvalidRequest on `metadata` for another spelling, which would choose nothing."""
    labels: dict[str, str] = {}
    for name, value in query:
        if not name.startswith("metadata"):
            continue
        found = LABEL.fullmatch(name)
        if found is None or len(labels) == MAX_LABELS:
            raise InvalidRequest(f"filter by metadata[key]=value, at most {MAX_LABELS} of them", param="metadata")
        labels[found[1]] = value
    return labels
