"""The lines of a batch: what each request has to be, and what its answer looks like."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from shared.blobs import new_id
from shared.errors import ServiceError, error_body
from shared.jsonl import LINE_LIMIT_BYTES
from shared.logs import REQUEST_ID

MOST_LINES = 50_000
"""OpenAI's."""
MOST_PROBLEMS = 20
"""That are told; the first ones say enough."""


@dataclass(frozen=True)
class Line:
    custom_id: str
    body: dict[str, Any]


def read_lines(path: Path) -> Generator[tuple[int, Any]]:
    """(number from 1, JSON) of every line that is not empty; JSON is None where it is none."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_LIMIT_BYTES + 1), b""), 1):
            if not line.strip():
                continue
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError:
                yield number, None


def requests(path: Path) -> Generator[Line]:
    """Of a file that `problems` finds good."""
    for _, found in read_lines(path):
        yield Line(found["custom_id"], found["body"])


def problems(path: Path, endpoint: str) -> tuple[int, list[dict[str, Any]]]:
    """How many requests there are, and what is wrong with them: code, message, param, line."""
    seen: set[str] = set()
    told: list[dict[str, Any]] = []
    total = 0
    for number, found in read_lines(path):
        total += 1
        problem = _problem(found, endpoint, seen)
        if problem and len(told) < MOST_PROBLEMS:
            code, message, param = problem
            told.append({"code": code, "message": message, "param": param, "line": number})
        if total > MOST_LINES:
            message = f"more than {MOST_LINES} requests"
            return total, [{"code": "too_many_requests", "message": message, "param": None, "line": number}]
    if not total:
        told.append({"code": "empty_file", "message": "the file has no requests", "param": None, "line": None})
    return total, told


def _problem(found: Any, endpoint: str, seen: set[str]) -> tuple[str, str, str | None] | None:
    if not isinstance(found, dict):
        return "invalid_json_line", "the line is not a JSON object", None
    line = cast(dict[str, Any], found)
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        return "missing_required_parameter", "custom_id is missing, or no text", "custom_id"
    if custom_id in seen:
        return "duplicate_custom_id", f"custom_id {custom_id[:80]!r} stands twice in the file", "custom_id"
    seen.add(custom_id)
    if line.get("method") != "POST":
        return "invalid_method", "method must be POST", "method"
    if line.get("url") != endpoint:
        return "mismatched_url", f"url must be the batch's endpoint, {endpoint}", "url"
    body: Any = line.get("body")
    if not isinstance(body, dict):
        return "missing_required_parameter", "body must be an object", "body"
    if cast(dict[str, Any], body).get("stream"):
        return "invalid_stream", "an answer in a file is no stream", "body.stream"
    return None


def answered(line: Line, body: bytes) -> bytes:
    """The line of the output file."""
    return _written(line, 200, orjson.Fragment(body))


def refused(line: Line, error: ServiceError) -> bytes:
    """The line of the error file."""
    return _written(line, error.status, error_body(error))


def _written(line: Line, status: int, body: Any) -> bytes:
    response = {"status_code": status, "request_id": REQUEST_ID.get(), "body": body}
    row = {"id": new_id("batch_req_"), "custom_id": line.custom_id, "response": response, "error": None}
    return orjson.dumps(row) + b"\n"
