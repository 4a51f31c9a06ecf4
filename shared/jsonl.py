"""JSON lines, checked as they are read: one object per line."""

from typing import BinaryIO

import orjson

from shared.errors import InvalidRequest

LINE_LIMIT_BYTES = 16 << 20
"""What one line may need in memory; far above any context."""


def check_jsonl(file: BinaryIO, param: str) -> None:
    """Raises InvalidRequest on `param` naming the first line that is not a JSON object. Empty lines are passed over."""
    objects = number = 0
    while line := file.readline(LINE_LIMIT_BYTES + 1):
        number += 1
        if len(line) > LINE_LIMIT_BYTES:
            raise _bad(number, f"longer than {LINE_LIMIT_BYTES} bytes", param)
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _bad(number, f"not valid JSON: {error.msg}, at character {error.pos}", param) from None
        if not isinstance(found, dict):
            raise _bad(number, "not a JSON object", param)
        objects += 1
    if not objects:
        raise InvalidRequest("the file has no lines", param=param, code="invalid_jsonl")


def _bad(number: int, problem: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"line {number}: {problem}", param=param, code="invalid_jsonl")
