"""What a schema leaves open is narrowed to what its writer meant."""

import json
from typing import Any

import pytest

from ml_text.grammar.schema import schema_text


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    return json.loads(schema_text({"type": "json_schema", "json_schema": {"schema": schema}}))


def test_an_object_that_names_its_properties_takes_no_others() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    found = closed({"type": "object", "properties": {"a": inner, "c": {"type": "array", "items": inner}}})
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["additionalProperties"] is False
    assert found["properties"]["c"]["items"]["additionalProperties"] is False


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"^x": {"type": "integer"}}},
        {"anyOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"const": 1}}}]},
        {"required": ["a", "other"]},
        {"minProperties": 2},
    ],
    ids=lambda more: next(iter(more)),
)
def test_an_object_that_says_more_stays_open(more: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, **more}
    found = closed(schema)
    assert found.get("additionalProperties") is not False
    assert all("additionalProperties" not in branch for branch in found.get("anyOf", ()))
