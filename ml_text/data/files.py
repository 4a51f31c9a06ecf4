"""Rows of JSONL, JSON lists and CSV, read by streaming: at most one row and a megabyte of a file are in memory."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from shared.errors import InvalidRequest
from shared.jsonl import LINE_LIMIT_BYTES

CHUNK = 1 << 20


def rows(file: Path) -> Iterator[tuple[int, Any]]:
    """(number from 1, row): a JSONL file's number is the line's. What cannot be read comes as the ValueError it raised.

    InvalidRequest on `dataset` when nothing behind that place can be read either.
    """
    try:
        handle = file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}", param="dataset") from error
    with handle:
        try:
            yield from READERS.get(file.suffix.lower(), _lines)(handle, file)
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{file} is not UTF-8 text: {error.reason}", param="dataset") from error


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the files' bytes, in order."""
    total = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as handle:
                while block := handle.read(CHUNK):
                    total.update(block)
        except OSError as error:
            raise InvalidRequest(f"{file}: {error.strerror}", param="dataset") from error
    return total.hexdigest()


def _lines(handle: TextIO, file: Path) -> Iterator[tuple[int, Any]]:
    for number in count(1):
        line = handle.readline(LINE_LIMIT_BYTES)
        if not line:
            return
        if len(line) == LINE_LIMIT_BYTES and not line.endswith("\n"):
            while (rest := handle.readline(LINE_LIMIT_BYTES)) and not rest.endswith("\n"):
                pass
            yield number, ValueError(f"longer than {LINE_LIMIT_BYTES} characters")
        elif line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                yield number, ValueError(f"not JSON: {error}")
            except RecursionError:
                yield number, ValueError("not JSON: nested too deeply")


def _table(handle: TextIO, file: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(LINE_LIMIT_BYTES)
    reader = csv.DictReader(handle)
    for number in count(1):
        try:
            row: dict[Any, Any] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, ValueError(f"not CSV: {error}")
            continue
        if None in row:
            yield number, ValueError(f"{len(row[None])} cells more than there are columns")
        else:
            yield number, {name: cell for name, cell in row.items() if cell is not None}


def _list(handle: TextIO, file: Path) -> Iterator[tuple[int, Any]]:
    """The elements of one JSON array, each decoded as soon as all of it was read."""
    window = _Window(handle)
    if window.mark() != "[":
        raise InvalidRequest(f"{file} holds no JSON list of rows", param="dataset")
    window.at += 1
    number = 0
    try:
        while (mark := window.mark()) != "]":
            if number:
                if mark != ",":
                    raise ValueError("a comma or the list's end is missing behind it")
                window.at += 1
            number += 1
            yield number, window.value()
        window.at += 1
        if window.mark():
            raise ValueError("there is more behind the list")
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "nested too deeply"
        raise InvalidRequest(f"{file} is not JSON: row {number}: {why}", param="dataset") from error


class _Window:
    """The part of a file that is being decoded, from `at` on."""

    def __init__(self, handle: TextIO) -> None:
        self.handle, self.text, self.at, self.ended = handle, "", 0, False
        self.decode = json.JSONDecoder().raw_decode

    def mark(self) -> str:
        """The next character that is no space, where `at` then is; "" at the end of the file."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\r\n":
                    return self.text[self.at]
                self.at += 1
            if self.ended:
                return ""
            self.more()

    def value(self) -> Any:
        """The JSON value that begins here. ValueError when it is none."""
        self.mark()
        while True:
            try:
                found, end = self.decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if self.ended or len(self.text) - self.at > LINE_LIMIT_BYTES:
                    raise ValueError(error.msg) from error
            else:
                if end < len(self.text) or self.ended:  # else a number might go on
                    self.at = end
                    return found
            self.more()

    def more(self) -> None:
        """Twice as much as is being looked at, so that a long row is not decoded again for every megabyte of it."""
        rest = self.text[self.at :]
        read = self.handle.read(max(CHUNK, len(rest)))
        self.text, self.at, self.ended = rest + read, 0, not read


READERS = {".csv": _table, ".json": _list}
"""By a file's suffix; every other file is read as JSON lines."""
