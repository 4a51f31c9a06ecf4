"""Folders of recordings with what is said in them: LJSpeech's metadata.csv, or Hugging Face's audiofolder.

LJSpeech: `wavs/ID.wav` and lines `ID|text` or `ID|text|text as spoken`. Audiofolder: `metadata.csv` with a header or
`metadata.jsonl`, columns `file_name`, `transcription` (or text, sentence, transcript) and, if there are several people,
`speaker`. Both may lie in a folder below, such as `train/`.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import InvalidRequest

TEXT_COLUMNS = ("transcription", "text", "sentence", "transcript", "normalized_text")
SPEAKER_COLUMNS = ("speaker", "speaker_id", "voice")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".webm", ".aac")
MOST_CLIPS = 2_000_000


@dataclass(frozen=True)
class Clip:
    path: Path
    text: str
    speaker: str
    where: str
    """File and line, for messages."""


def read(folders: Iterable[Path], on_bad_row: str = "stop") -> tuple[list[Clip], int]:
    """The clips, and how many rows were skipped. InvalidRequest on `dataset` where there are none, or at a bad row."""
    clips: list[Clip] = []
    skipped = 0
    for folder in folders:
        for row in _rows(folder):
            if isinstance(row, Clip):
                clips.append(row)
            elif on_bad_row == "stop":
                raise row
            else:
                skipped += 1
            if len(clips) > MOST_CLIPS:
                raise InvalidRequest(f"more than {MOST_CLIPS:,} clips", param="dataset")
    if not clips:
        raise InvalidRequest(f"no clip in {', '.join(folder.name for folder in folders)} can be used", param="dataset")
    return clips, skipped


def digest(folders: Iterable[Path]) -> str:
    """SHA-256 over the metadata and the sound files, names and bytes, in the order of the names."""
    total = hashlib.sha256()
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file()):
            total.update(path.name.encode())
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _rows(folder: Path) -> Iterator[Clip | InvalidRequest]:
    found = [path for name in ("metadata.csv", "metadata.jsonl") for path in sorted(folder.glob(f"**/{name}"))]
    if not folder.is_dir() or not found:
        raise InvalidRequest(
            f"{folder.name} is no folder with a metadata.csv (LJSpeech) or metadata.csv/.jsonl (audiofolder)",
            param="dataset",
        )
    for metadata in found:
        try:
            yield from READERS[metadata.suffix](metadata)
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{metadata.name} is not UTF-8 text: {error.reason}", param="dataset") from error


def _read_csv(metadata: Path) -> Iterator[Clip | InvalidRequest]:
    with metadata.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        if "file_name" in first:
            for number, row in enumerate(csv.DictReader(file), 2):
                yield _named(metadata, number, row)
        else:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _ljspeech(metadata, number, line.rstrip("\r\n").split("|"))


def _read_jsonl(metadata: Path) -> Iterator[Clip | InvalidRequest]:
    with metadata.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield _bad(metadata, number, "not JSON")
                continue
            yield _named(metadata, number, row) if isinstance(row, dict) else _bad(metadata, number, "no object")


READERS = {".csv": _read_csv, ".jsonl": _read_jsonl}


def _ljspeech(metadata: Path, number: int, cells: Sequence[str]) -> Clip | InvalidRequest:
    if len(cells) < 2:
        return _bad(metadata, number, "neither `ID|text` nor a header with file_name")
    text = cells[2] if len(cells) > 2 and cells[2].strip() else cells[1]
    folder = metadata.parent / "wavs" if (metadata.parent / "wavs").is_dir() else metadata.parent
    names = [cells[0]] if cells[0].lower().endswith(SOUNDS) else [cells[0] + ending for ending in SOUNDS]
    name = next((name for name in names if (folder / name).is_file()), names[0])
    return _clip(metadata, number, folder, name, text, "")


def _named(metadata: Path, number: int, row: dict[str, Any]) -> Clip | InvalidRequest:
    name = row.get("file_name")
    text = next((row[column] for column in TEXT_COLUMNS if row.get(column)), None)
    if not isinstance(name, str) or not name:
        return _bad(metadata, number, "no file_name")
    if not isinstance(text, str):
        return _bad(metadata, number, f"no text: one of the columns {', '.join(TEXT_COLUMNS)}")
    speaker = next((str(row[column]) for column in SPEAKER_COLUMNS if row.get(column)), "")
    return _clip(metadata, number, metadata.parent, name, text, speaker)


def _clip(metadata: Path, number: int, folder: Path, name: str, text: str, speaker: str) -> Clip | InvalidRequest:
    path = (folder / name).resolve()
    if not path.is_relative_to(metadata.parent.resolve()):
        return _bad(metadata, number, f"{name} lies outside of the folder")
    if not path.is_file():
        return _bad(metadata, number, f"there is no file {name}")
    if not text.strip():
        return _bad(metadata, number, "the text is empty")
    return Clip(path, text.strip(), speaker, f"{metadata.name} line {number}")


def _bad(metadata: Path, number: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"{metadata.name} line {number}: {why}", param="dataset")
