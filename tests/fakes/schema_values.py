"""Values of a JSON schema, as near as possible to a wanted one, and what OpenAI's strict mode refuses."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MISSING: Any = object()
Schema = Mapping[str, Any]

NOT_IN_STRICT_MODE = (
    "allOf",
    "not",
    "oneOf",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "prefixItems",
    "patternProperties",
    "uniqueItems",
)


def strict_mode_problem(schema: object, path: tuple[str, ...] = ()) -> str | None:
    """What OpenAI's strict mode would refuse about `schema`, or None."""
    if not isinstance(schema, Mapping):
        return None
    where = f"In context={path!r}, "
    if not path and schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    for keyword in NOT_IN_STRICT_MODE:
        if keyword in schema:
            return f"{where}'{keyword}' is not permitted."
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            return f"{where}'additionalProperties' is required to be supplied and to be false."
        missing = sorted(set(properties) - set(schema.get("required", [])))
        if missing:
            rule = "'required' is required to be supplied and to be an array including every key in properties."
            return f"{where}{rule} Missing '{missing[0]}'."
    children = {f"properties.{name}": child for name, child in schema.get("properties", {}).items()}
    children |= {f"$defs.{name}": child for name, child in schema.get("$defs", {}).items()}
    children |= {f"anyOf.{number}": child for number, child in enumerate(schema.get("anyOf", []))}
    children["items"] = schema.get("items")
    problems = (strict_mode_problem(child, (*path, name)) for name, child in children.items())
    return next((problem for problem in problems if problem), None)


def fit(schema: Schema, wanted: Any = MISSING, root: Schema | None = None) -> Any:
    """A value of `schema`, `wanted` kept where the schema lets it. ValueError where no such value is found."""
    root = root or schema
    if "$ref" in schema:
        return fit(_resolve(root, schema["$ref"]), wanted, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _nearest(schema["enum"], wanted)
    if "anyOf" in schema or "oneOf" in schema:
        return _fit_any(schema.get("anyOf") or schema["oneOf"], wanted, root)
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        return _fit_any([{**schema, "type": one} for one in kind], wanted, root)
    if kind == "object":
        return _fit_object(schema, wanted, root)
    if kind == "array":
        return _fit_array(schema, wanted, root)
    if kind in ("integer", "number"):
        return _fit_number(schema, wanted)
    if kind == "string":
        return _fit_string(schema, wanted)
    if kind == "boolean":
        return wanted if isinstance(wanted, bool) else True
    return None if kind == "null" or wanted is MISSING else wanted


def _resolve(root: Schema, pointer: str) -> Schema:
    found: Any = root
    for part in pointer.removeprefix("#").strip("/").split("/"):
        found = found[part] if part else found
    return found


def _nearest(choices: Sequence[Any], wanted: Any) -> Any:
    if wanted in choices or wanted is MISSING:
        return wanted if wanted in choices else choices[0]
    if isinstance(wanted, int | float) and all(isinstance(choice, int | float) for choice in choices):
        return min(choices, key=lambda choice: abs(choice - wanted))
    return choices[sum(map(ord, str(wanted))) % len(choices)]


def _fit_any(options: Sequence[Schema], wanted: Any, root: Schema) -> Any:
    fitted = [fit(option, wanted, root) for option in options]
    return next((value for value in fitted if value == wanted), fitted[0])


def _fit_object(schema: Schema, wanted: Any, root: Schema) -> dict[str, Any]:
    known: Mapping[str, Any] = wanted if isinstance(wanted, Mapping) else {}
    properties: Mapping[str, Schema] = schema.get("properties", {})
    names = [name for name in properties if name in known or name in schema.get("required", ())]
    return {name: fit(properties[name], known.get(name, MISSING), root) for name in names}


def _fit_array(schema: Schema, wanted: Any, root: Schema) -> list[Any]:
    known = list(wanted) if isinstance(wanted, list) else []
    known += [MISSING] * (schema.get("minItems", 0) - len(known))
    return [fit(schema.get("items", {}), value, root) for value in known[: schema.get("maxItems")]]


def _fit_number(schema: Schema, wanted: Any) -> int | float:
    whole = schema["type"] == "integer"
    step = schema.get("multipleOf", 1 if whole else None)
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0 if wanted is MISSING else None))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = wanted if isinstance(wanted, int | float) else low or 0
    value = value if low is None else max(value, low)
    value = value if high is None else min(value, high)
    if step:
        value = round(value / step) * step
        value += step if low is not None and value < low else 0
        value -= step if high is not None and value > high else 0
    return int(value) if whole else value


def _fit_string(schema: Schema, wanted: Any) -> str:
    text = wanted if isinstance(wanted, str) else "text"
    text = text[: schema.get("maxLength")].ljust(schema.get("minLength", 0), ".")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, text):
        from hypothesis import find
        from hypothesis import strategies as st

        return find(st.from_regex(re.compile(pattern)), lambda found: "\n" not in found)
    return text
