"""/openapi.json: what raw routes do, and that every error has OpenAI's envelope."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REF = "#/components/schemas/{model}"
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}}
    }
}
"""Each server-sent event."""
ERROR = {"description": "An error", "content": {"application/json": {"schema": {"$ref": REF.format(model="Error")}}}}


class Operation(Protocol):
    """A raw POST route that says what it takes and gives."""

    path: str
    summary: str
    tag: str
    request: type[BaseModel]
    answer: type[BaseModel]


def complete(document: dict[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """Add `operations` to FastAPI's document, and replace its 422 by the errors that we really send."""
    modes = [(operation.request, "validation") for operation in operations]
    modes += [(operation.answer, "serialization") for operation in operations]
    refs, definitions = models_json_schema(modes, ref_template=REF)  # pyright: ignore[reportArgumentType]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}), Error=ERROR_SCHEMA)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    paths = document["paths"]
    for operation in operations:
        asked, given = refs[operation.request, "validation"], refs[operation.answer, "serialization"]
        paths.setdefault(operation.path, {})["post"] = _post(operation, asked, given)
    for path in paths.values():
        for described in path.values():
            described["responses"].pop("422", None)
            described["responses"]["default"] = ERROR
    return document


def _post(operation: Operation, asked: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": given}}
    if "stream" in operation.request.model_fields:
        content |= EVENTS
    return {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation.path.strip("/").replace("/", "_"),
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {"200": {"description": "The answer", "content": content}},
    }
