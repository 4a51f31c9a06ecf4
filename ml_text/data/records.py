"""What a row says: a chat, whose assistant is to be learnt, or plain text."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_text.data.files import rows
from ml_text.prompts import in_plain_words
from ml_text.tokenizer import ROLES
from shared.design import dumps, messages, read_record
from shared.errors import InvalidRequest, ServiceError

Messages = list[dict[str, Any]]
"""`role` (system, user, assistant) and `content`; an assistant's turn with `weight` 0 is not learnt, as at OpenAI."""
Record = Messages | str
"""A chat, whose assistant's turns are learnt, or plain text, all of which is learnt."""

PAIRS = (("prompt", "completion"), ("input", "target"))
SHOWN = 20
"""So many bad rows are remembered by reason; more are counted."""


@dataclass
class Skipped:
    """Rows that were left out: how many, and why the first ones."""

    bad: list[str] = field(default_factory=list)
    count: int = 0
    """Of bad rows."""
    long: int = 0

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self.bad) < SHOWN:
            self.bad.append(reason)


def read(files: Iterable[Path], on_bad_row: str = "stop", skipped: Skipped | None = None) -> Iterator[Record]:
    """Every row of `files` in order. A bad one is InvalidRequest naming file, row and reason, or noted in `skipped`."""
    for file in files:
        for number, row in rows(file):
            try:
                yield record(row)
            except (ServiceError, ValueError) as error:
                note(file, number, error, on_bad_row, skipped)


def note(file: Path, number: int, error: Exception, on_bad_row: str, skipped: Skipped | None) -> None:
    """InvalidRequest that names a bad row, unless it is only to be counted."""
    message = f"{file.name}, row {number}: {error}"
    if on_bad_row == "stop" or skipped is None:
        raise InvalidRequest(message, param="dataset") from error
    skipped.add(message)


def check_row(row: Any) -> dict[str, Any]:
    """`row`, if it is an object; ValueError with the reason when it is none."""
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, dict):
        raise ValueError(f"a row is an object, not {type(row).__name__}")
    return row


def record(row: Any) -> Record:
    """What one row says; ValueError or InvalidRequest with the reason when it is none of the known kinds."""
    row = check_row(row)
    if "messages" in row:
        return _learnable(chat(row["messages"], row.get("tools") or ()))
    if "response" in row:
        brief, spec = read_record(row)
        return [*messages(brief), {"role": "assistant", "content": dumps(spec)}]
    for question, answer in PAIRS:
        if question in row and answer in row:
            turns = [{"role": "user", "content": row[question]}, {"role": "assistant", "content": row[answer]}]
            return _learnable(chat(turns, names=(question, answer)))
    if "text" in row:
        return said(row["text"], "text")
    raise ValueError(
        "a row has messages, or prompt and completion, or text, or prompt, platform, format and response;"
        f" this one has {', '.join(map(str, row)) or 'nothing'}"
    )


def said(value: Any, name: str) -> str:
    """`value`, if it is a text that says something; ValueError by `name` when not."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is a string, not {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is empty")
    return value


def chat(turns: Any, tools: Any = (), names: tuple[str, ...] = ()) -> Messages:
    """The turns in the form of OpenAI's chat rows, tools and their calls in plain words. ValueError by place."""
    if not isinstance(turns, list) or not turns:
        raise ValueError("messages is a list of at least one message")
    read: Messages = []
    for place, turn in enumerate(turns):
        name = names[place] if names else f"messages[{place}].content"
        if not isinstance(turn, dict) or turn.get("role") not in (*ROLES, "developer", "tool"):
            raise ValueError(f"messages[{place}].role is {', '.join(ROLES)}, developer or tool")
        content, calls = turn.get("content"), turn.get("tool_calls") or ()
        content = "" if content is None and calls else said(_joined(content), name)
        role = "system" if turn["role"] == "developer" else turn["role"]
        read.append({"role": role, "content": content, "tool_calls": [_call(call, place) for call in calls]})
    if not all(isinstance(tool, dict) and isinstance(tool.get("function"), dict) for tool in tools):
        raise ValueError("tools is a list of functions")
    plain = in_plain_words(read, tools)
    offset = len(plain) - len(read)  # 1 when the tools made a system turn of their own
    for place, turn in enumerate(turns):
        if turn.get("weight") == 0 and turn["role"] == "assistant":
            plain[place + offset]["weight"] = 0
    return plain


def _joined(content: Any) -> Any:
    """A list of text parts as one text; anything else as it is."""
    if not isinstance(content, list):
        return content
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
        raise ValueError("content has a part that is no text; only texts are learnt here")
    return "".join(part["text"] for part in content)


def _call(call: Any, place: int) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise ValueError(f"messages[{place}].tool_calls are calls of functions with a name")
    arguments = function.get("arguments", {})
    return {"function": {"name": function["name"], "arguments": _parsed(arguments)}}


def _parsed(arguments: Any) -> Any:
    """OpenAI sends a call's arguments as JSON in a string; a model writes them as an object."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError as error:
        raise ValueError(f"a call's arguments are not JSON: {error}") from error


def _learnable(turns: Messages) -> Messages:
    if not any(turn["role"] == "assistant" and turn.get("weight") != 0 for turn in turns):
        raise ValueError("no message is the assistant's, so there is nothing to learn")
    return turns


def texts(records: Iterable[Record]) -> Iterator[str]:
    """The wording alone, for training a tokenizer."""
    for item in records:
        if isinstance(item, str):
            yield item
        else:
            yield from (turn["content"] for turn in item)
