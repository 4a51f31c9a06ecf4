"""A data set made ready: cleaned, without duplicates, split, with a report. Read and written row by row."""

import hashlib
import json
import re
import shutil
import unicodedata
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml_text.data.files import rows
from ml_text.data.preferences import preference
from ml_text.data.records import Skipped, note, record
from shared.errors import InvalidRequest, ServiceError

SPLITS = ("train", "validation", "test")


@dataclass
class Report:
    """What became of the rows."""

    read: int = 0
    bad: int = 0
    bad_rows: list[str] = field(default_factory=list)
    """Why, for the first ones."""
    duplicates: int = 0
    changed: int = 0
    """Rows in which cleaning found something to do."""
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """By split."""
    characters: int = 0
    longest: int = 0
    """Characters of the longest row that was kept."""


def prepare(
    files: Iterable[Path], out: Path, validation: float = 0.05, test: float = 0.0, on_bad_row: str = "skip"
) -> Report:
    """`out`/train.jsonl, validation.jsonl, test.jsonl and report.json; all of them or, after an error, none.

    A row's split follows from what it asks, so that no question is in two of them, whatever the order of the rows.
    """
    if out.exists() and any(out.iterdir()):
        raise InvalidRequest(f"{out} is not empty", param="out")
    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        report = _write(files, draft, {"test": test, "validation": validation}, on_bad_row)
        (draft / "report.json").write_text(json.dumps(asdict(report), indent=2, ensure_ascii=False) + "\n")
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return report


def _write(files: Iterable[Path], draft: Path, shares: dict[str, float], on_bad_row: str) -> Report:
    report, skipped, seen = Report(), Skipped(), set[bytes]()
    with ExitStack() as stack:
        outputs = {
            name: stack.enter_context((draft / f"{name}.jsonl").open("w", encoding="utf-8"))
            for name in SPLITS
            if name == "train" or shares[name]
        }
        for file in files:
            for number, row in rows(file):
                report.read += 1
                try:
                    kept, kind = checked(row)
                except (ServiceError, ValueError) as error:
                    note(file, number, error, on_bad_row, skipped)
                    continue
                mark = _mark(kept)
                if mark in seen:
                    report.duplicates += 1
                    continue
                seen.add(mark)
                line = json.dumps(kept, ensure_ascii=False)
                split = choose_split(_question(kept), shares)
                outputs[split].write(line + "\n")
                report.changed += kept != row
                report.kinds[kind] = report.kinds.get(kind, 0) + 1
                report.rows[split] = report.rows.get(split, 0) + 1
                report.characters += len(line)
                report.longest = max(report.longest, len(line))
    report.bad, report.bad_rows = skipped.count, skipped.bad
    if not sum(report.rows.values()):
        raise InvalidRequest(f"no usable row; the first bad one: {(skipped.bad or ['none'])[0]}", param="dataset")
    return report


def checked(row: Any) -> tuple[dict[str, Any], str]:
    """The row cleaned, and what kind it is. ValueError or InvalidRequest with the reason when no trainer takes it."""
    kept = clean(row)
    if isinstance(kept, dict) and ("chosen" in kept or "preferred_output" in kept):
        preference(kept)
        return kept, "preference"
    found = record(kept)
    return kept, "text" if isinstance(found, str) else "design" if "response" in kept else "chat"


def clean(value: Any) -> Any:
    """Texts in composed Unicode (NFC), with line feeds alone, without control characters and blanks at line ends."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
        text = "".join(mark for mark in text if mark in "\n\t" or unicodedata.category(mark) not in ("Cc", "Cs"))
        return re.sub(r"\n{4,}", "\n\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)).strip()
    if isinstance(value, list):
        return [clean(one) for one in value]
    if isinstance(value, dict):
        return {name: clean(one) for name, one in value.items()}
    return value


def choose_split(question: str, shares: dict[str, float]) -> str:
    """By the question's hash: `shares` of all questions to the splits that it names, the rest to train."""
    place = int.from_bytes(hashlib.blake2b(question.encode(), digest_size=8).digest()) / 2**64
    for name, share in shares.items():
        if place < share:
            return name
        place -= share
    return "train"


def _mark(row: dict[str, Any]) -> bytes:
    """Equal for rows that differ in case and blanks only: 16 bytes, so that millions fit into memory."""
    told = re.sub(r"\s+", " ", json.dumps(row, sort_keys=True, ensure_ascii=False)).casefold()
    return hashlib.blake2b(told.encode(), digest_size=16).digest()


def _question(row: dict[str, Any]) -> str:
    """What a row asks: its prompt, the first turns up to an answer, or all of it."""
    turns = row.get("messages") or (row["input"].get("messages") if isinstance(row.get("input"), dict) else None)
    if turns:
        asked: Any = [turn.get("content") for turn in turns if turn.get("role") == "user"][:1]
    else:
        asked = next((row[name] for name in ("prompt", "input", "text") if name in row), row)
    return re.sub(r"\s+", " ", json.dumps(asked, sort_keys=True, ensure_ascii=False)).casefold()
