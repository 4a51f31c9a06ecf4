"""Rows that say which of two answers is the better one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_text.data.files import rows
from ml_text.data.records import Messages, Skipped, chat, check_row, note, said
from shared.errors import ServiceError


@dataclass(frozen=True)
class Preference:
    prompt: Messages
    chosen: str
    rejected: str


def read_preferences(files: Iterable[Path], on_bad_row: str, skipped: Skipped) -> Iterator[Preference]:
    """Every row of `files` in order. A bad one is InvalidRequest naming file, row and reason, or noted in `skipped`."""
    for file in files:
        for number, row in rows(file):
            try:
                yield preference(row)
            except (ServiceError, ValueError) as error:
                note(file, number, error, on_bad_row, skipped)


def preference(row: Any) -> Preference:
    """Of {prompt, chosen, rejected}, or OpenAI's {input: {messages}, preferred_output, non_preferred_output}.

    A prompt is a text or messages, an answer a text or a list of one assistant's message. ValueError by field.
    https://platform.openai.com/docs/guides/direct-preference-optimization
    """
    row = check_row(row)
    if "input" in row and "preferred_output" in row:
        if not isinstance(row["input"], dict):
            raise ValueError("input is an object with messages")
        asked, names = row["input"].get("messages"), ("preferred_output", "non_preferred_output")
        tools = row["input"].get("tools") or ()
    elif "prompt" in row and "chosen" in row:
        asked, names, tools = row["prompt"], ("chosen", "rejected"), ()
    else:
        raise ValueError(
            "a row has prompt, chosen and rejected, or input, preferred_output and non_preferred_output;"
            f" this one has {', '.join(map(str, row)) or 'nothing'}"
        )
    if not isinstance(asked, list):
        asked = [{"role": "user", "content": said(asked, "prompt")}]
    prompt = chat(asked, tools)
    better, worse = (_answer(row.get(name), name, prompt) for name in names)
    if better == worse:
        raise ValueError(f"{names[0]} and {names[1]} are the same")
    return Preference(prompt, better, worse)


def _answer(value: Any, name: str, prompt: Messages) -> str:
    if not isinstance(value, list):
        return said(value, name)
    turns = chat(value)
    if turns[: len(prompt)] == prompt and len(turns) == len(prompt) + 1:  # the whole chat, as other trainers write it
        turns = turns[len(prompt) :]
    if len(turns) != 1 or turns[0]["role"] != "assistant":
        raise ValueError(f"{name} is one message of the assistant")
    return turns[0]["content"]
