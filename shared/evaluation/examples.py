"""What is asked and what would be right: rows of the training formats, and HumanEval's."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shared.design import Brief, dumps, messages, read_record, response_format
from shared.errors import InvalidRequest, ServiceError
from shared.evaluation.code import ASKED, Problem, read_problem

PAIRS = (("prompt", "completion"), ("input", "target"))
ROW_LIMIT_BYTES = 4 << 20
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Example:
    id: str
    messages: Messages
    """What is asked; empty where there is only a text to foretell."""
    reference: str | None = None
    text: str | None = None
    brief: Brief | None = None
    problem: Problem | None = None

    @property
    def response_format(self) -> dict[str, Any] | None:
        return response_format(self.brief) if self.brief else None


def read_file(path: Path, limit: int | None = None) -> tuple[list[Example], str]:
    """The first `limit` examples of a JSONL (also .gz), JSON or CSV file, and the file's SHA-256.

    Raises InvalidRequest on `dataset` naming the row.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}", param="dataset") from error
    return read_bytes(data, path.name, limit), hashlib.sha256(data).hexdigest()


def read_bytes(data: bytes, filename: str, limit: int | None = None) -> list[Example]:
    """`filename` tells the format, as far as its name and the first bytes do."""
    try:
        return read_rows(_rows(data, filename), limit)
    except (UnicodeDecodeError, EOFError, OSError, csv.Error) as error:
        raise InvalidRequest(f"{filename} cannot be read: {error}", param="dataset") from error


def read_rows(rows: Iterable[Any], limit: int | None = None) -> list[Example]:
    """Raises InvalidRequest on `dataset` naming the row, or when there is none."""
    found: list[Example] = []
    for number, row in enumerate(rows, 1):
        if limit is not None and len(found) >= limit:
            break
        try:
            found.append(_example(number, row))
        except (ServiceError, ValueError) as error:
            raise InvalidRequest(f"row {number}: {error}", param="dataset") from error
    if not found:
        raise InvalidRequest("there are no rows", param="dataset")
    return found


def _rows(data: bytes, filename: str) -> Iterator[Any]:
    opened: Any = gzip.GzipFile(fileobj=io.BytesIO(data)) if data[:2] == b"\x1f\x8b" else io.BytesIO(data)
    name = filename.lower().removesuffix(".gz")
    if name.endswith(".csv"):
        yield from csv.DictReader(io.TextIOWrapper(opened, "utf-8-sig", newline=""))
    elif name.endswith(".json"):
        listed = json.loads(opened.read(256 << 20))
        yield from cast(list[Any], listed) if isinstance(listed, list) else [listed]
    else:
        while line := opened.readline(ROW_LIMIT_BYTES):  # a gzip bomb is read no further than its rows are used
            if line.strip():
                yield _json(line)


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return "no JSON"


def _example(number: int, row: Any) -> Example:
    if not isinstance(row, dict):
        raise ValueError("is no JSON object")
    fields = cast(dict[str, Any], row)
    id = str(fields.get("task_id") or fields.get("id") or number)[:100]
    if "entry_point" in fields:
        problem = read_problem(fields)
        return Example(id, _asks(f"{ASKED}\n\n{problem.prompt}"), problem=problem)
    if "messages" in fields:
        return _chat(id, fields["messages"])
    if {"prompt", "platform", "format"} <= fields.keys():
        brief = {name: fields[name] for name in ("prompt", "platform", "format")}
        if fields.get("response") is None:
            made = Brief(**brief)
            return Example(id, messages(made), brief=made)
        made, spec = read_record(fields)
        return Example(id, messages(made), dumps(spec), brief=made)
    for question, answer in PAIRS:
        if question in fields and answer in fields:
            return Example(id, _asks(_text(fields, question)), _text(fields, answer))
    if "text" in fields:
        return Example(id, [], text=_text(fields, "text"))
    raise ValueError("has neither messages, nor prompt and completion, nor text, nor a brief, nor a HumanEval problem")


def _chat(id: str, given: Any) -> Example:
    if not isinstance(given, list) or not given:
        raise ValueError("messages is a list of at least one message")
    turns: Messages = []
    for place, turn in enumerate(cast(list[Any], given)):
        if not isinstance(turn, dict):
            raise ValueError(f"messages[{place}] is no object")
        turns.append({name: _text(cast(dict[str, Any], turn), name) for name in ("role", "content")})
    if turns[-1]["role"] != "assistant":
        return Example(id, turns)
    if len(turns) == 1:
        raise ValueError("messages begins with the answer")
    return Example(id, turns[:-1], turns[-1]["content"])


def _asks(prompt: str) -> Messages:
    return [{"role": "user", "content": prompt}]


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing, or no text")
    return value
