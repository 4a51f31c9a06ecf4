"""From OpenAI's `response_format` to a JSON schema, refusing by name what is unenforceable or hostile."""

import json
import re
from collections.abc import Iterator
from typing import Any

from shared.errors import InvalidRequest

MAX_NODES = 20_000
MAX_CHARS = 256_000
MAX_DEPTH = 64
MAX_OPTIONAL = 400
"""Optional properties per object: each is an alternative at every key, and the parser holds 2,000 of them."""
MAX_MULTIPLE = 10_000
"""multipleOf becomes an automaton with a state per remainder: 8 s at 999,983."""
MAX_BOUND = 2**31
MAX_JOINED = 12
"""Patterns in a schema with allOf: joining n of them takes 2**n steps, a second at 19."""

LARGEST = 2**53 - 1
"""RFC 7493: every reader of JSON holds integers up to here, and 1e999 reads as infinity."""
PATTERNS = {
    "date": "^[1-9]",
    "time": "^[0-9]+:[0-9]+:[0-5].*[0-9Z]$",
    "date-time": "^[1-9][0-9-]+T[0-9]+:[0-9]+:[0-5].*[0-9Z]$",
}
"""Without the year 0, leap seconds and lower-case t and z, which many readers of these formats refuse."""
MAX_LENGTHS = {"email": 64, "hostname": 253}
"""RFC 5321 bounds the part before the @ by 64, RFC 1035 the name."""
ANY_OBJECT: dict[str, Any] = {
    "$ref": "#/$defs/object",
    "$defs": {
        "object": {"type": "object", "additionalProperties": {"$ref": "#/$defs/value"}},
        "value": {
            "anyOf": [
                {"type": ["string", "number", "boolean", "null"]},
                {"type": "array", "items": {"$ref": "#/$defs/value"}},
                {"$ref": "#/$defs/object"},
            ]
        },
    },
}

UNENFORCEABLE = (
    *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames"),
    *("dependencies", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"),
    *("$dynamicRef", "$recursiveRef"),
)
SAYS_MORE = {"additionalProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref"}
"""An object with one of these means more than the properties that it names."""
BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
COMBINED = re.compile(r"/(anyOf|oneOf|allOf|patternProperties)/")
"""Places whose schemas hold beside others for the same value: what one names, another may not forbid."""
NAMED = ("properties", "patternProperties", "$defs", "definitions")
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
SINGLE = ("items", "additionalProperties", "additionalItems")


def schema_text(response_format: dict[str, Any]) -> str:
    """The schema as JSON; InvalidRequest (param `response_format`) when it is malformed, too large or unenforceable."""
    schema = _asked(response_format)
    _check_size(schema)
    try:
        text = json.dumps(schema, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError) as error:
        raise refused(f"the schema is not JSON: {error}") from error
    if len(text) > MAX_CHARS:
        raise refused(f"the schema has {len(text)} characters, {MAX_CHARS} at most")
    copy = json.loads(text)
    _check_joins(copy)
    joined = any("allOf" in node or ("$ref" in node and "properties" in node) for _, node in _subschemas(copy))
    for place, node in _subschemas(copy):
        _check_keywords(place, node)
        _tighten(node)
        if place == "#" or (not joined and not COMBINED.search(place)):
            _close(node)
    return json.dumps(copy, ensure_ascii=False)


def _asked(response_format: dict[str, Any]) -> dict[str, Any]:
    kind = response_format.get("type")
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        raise refused(f"type {kind!r} is not json_schema or json_object")
    wrapper = response_format.get("json_schema")
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if not isinstance(schema, dict):
        raise refused("json_schema.schema must be an object")
    return schema


def refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"response_format: {why}", param="response_format")


def _check_size(schema: object) -> None:
    nodes = 0
    rest: list[tuple[object, int]] = [(schema, 0)]
    while rest:
        node, depth = rest.pop()
        nodes += 1
        if depth > MAX_DEPTH:
            raise refused(f"the schema is nested deeper than {MAX_DEPTH}")
        inner = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        if nodes + len(rest) + len(inner) > MAX_NODES:
            raise refused(f"the schema has more than {MAX_NODES} values (a long enum?)")
        rest += [(value, depth + 1) for value in inner]


def _subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in `schema` with its JSON pointer; property names and literal values are not schemas."""
    rest: list[tuple[str, object]] = [("#", schema)]
    while rest:
        place, node = rest.pop()
        if not isinstance(node, dict):
            continue
        yield place, node
        for key in NAMED:
            if isinstance(node.get(key), dict):
                rest += [(f"{place}/{key}/{name}", inner) for name, inner in node[key].items()]
        for key in LISTED:
            if isinstance(node.get(key), list):
                rest += [(f"{place}/{key}/{i}", inner) for i, inner in enumerate(node[key])]
        rest += [(f"{place}/{key}", node[key]) for key in SINGLE if key in node]


def _check_joins(schema: dict[str, Any]) -> None:
    nodes = [node for _, node in _subschemas(schema)]
    patterns = sum(
        ("pattern" in node) + ("format" in node) + len(node.get("patternProperties") or ()) for node in nodes
    )
    if patterns > MAX_JOINED and any("allOf" in node for node in nodes):
        raise refused(f'"allOf" in a schema with more than {MAX_JOINED} patterns and formats cannot be enforced')


def _check_keywords(place: str, node: dict[str, Any]) -> None:
    for key in node:
        if key in UNENFORCEABLE:
            raise refused(f'"{key}" at {place} cannot be enforced')
    if isinstance(ref := node.get("$ref"), str) and not ref.startswith("#"):
        raise refused(f'"$ref" at {place} points outside the schema, and nothing is fetched')
    for key in BOUNDS:
        if isinstance(node.get(key), (int, float)) and node[key] > MAX_BOUND:
            raise refused(f'"{key}" at {place} is above {MAX_BOUND}')
    step = node.get("multipleOf")
    if isinstance(step, (int, float)) and int(f"0{step:.12f}".replace(".", "").rstrip("0")) > MAX_MULTIPLE:
        raise refused(f'"multipleOf" at {place} has too many digits or is above {MAX_MULTIPLE}')
    properties, required = node.get("properties"), node.get("required")
    if isinstance(properties, dict):
        needed = len(required) if isinstance(required, list) else 0
        if len(properties) - needed > MAX_OPTIONAL:
            raise refused(f'"properties" at {place} has more than {MAX_OPTIONAL} optional ones')


def _tighten(node: dict[str, Any]) -> None:
    """Narrow what the schema leaves open to what readers hold: endless numbers and addresses, odd dates."""
    types = node.get("type")
    types = types if isinstance(types, list) else [types]
    fixed = "enum" in node or "const" in node or "multipleOf" in node
    if not fixed and ("number" in types or "integer" in types):
        low, high = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
        if not any(key in node for key in high) and all(_below(node.get(key, 0), LARGEST) for key in low):
            node["maximum"] = LARGEST
        if not any(key in node for key in low) and all(_below(-LARGEST, node.get(key, 0)) for key in high):
            node["minimum"] = -LARGEST
    if node.get("format") in PATTERNS and not fixed:
        node.setdefault("pattern", PATTERNS[node["format"]])
    if node.get("format") in MAX_LENGTHS and not fixed:
        limit = MAX_LENGTHS[node["format"]]
        asked = node.get("maxLength", limit)
        node["maxLength"] = min(asked, limit) if isinstance(asked, int) else asked


def _close(node: dict[str, Any]) -> None:
    """An object that names its properties and says no more takes no others: who asked for two keys wants two."""
    properties, required = node.get("properties"), node.get("required") or ()
    if not isinstance(properties, dict) or node.keys() & SAYS_MORE:
        return
    fewest = node.get("minProperties", 0)
    if set(required) <= properties.keys() and isinstance(fewest, int) and fewest <= len(properties):
        node["additionalProperties"] = False


def _below(low: object, high: object) -> bool:
    return isinstance(low, (int, float)) and isinstance(high, (int, float)) and low < high
