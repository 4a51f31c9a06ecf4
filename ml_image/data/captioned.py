"""What users bring: a folder with metadata.jsonl, or with a .txt beside each picture, or of one subject, or JSONL.

metadata.jsonl has a row per picture, `{"file_name": "a/1.png", "text": "a red shoe"}`, with names inside the folder
(Hugging Face's imagefolder). A JSONL file of its own may hold the pictures too, as an uploaded training file does:
`{"image": "data:image/png;base64,…", "text": …}`. Every error names the file and the row.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from shared.errors import InvalidRequest, ServiceError
from shared.jsonl import LINE_LIMIT_BYTES
from shared.pictures import on_white, read_picture

METADATA = "metadata.jsonl"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
TEXT_KEYS = ("text", "caption", "prompt")
SHOWN = 20
"""So many bad rows are remembered by reason; more are counted."""


@dataclass(frozen=True)
class Captioned:
    caption: str
    where: str
    """File and row, for people."""
    source: Path | bytes

    def open_bytes(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def open(self) -> Image.Image:
        """RGB, transparency on white. InvalidRequest on `dataset`, by file and row, when it is no picture."""
        try:
            return on_white(read_picture(self.open_bytes(), "dataset"))
        except OSError as error:
            raise InvalidRequest(f"{self.where}: {error.strerror}", param="dataset") from error
        except ServiceError as error:
            raise InvalidRequest(f"{self.where}: {error}", param="dataset") from error


@dataclass
class Skipped:
    """Rows that were left out: how many, and why the first ones."""

    bad: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self.bad) < SHOWN:
            self.bad.append(reason)


def read(
    datasets: Iterable[Path], instance_prompt: str | None = None, skipped: Skipped | None = None
) -> list[Captioned]:
    """All pictures, checked to be ones; a bad row is an InvalidRequest, or left out and noted in `skipped`.

    `instance_prompt` is the caption of every picture that has none: a single subject, "a photo of sks shoe".
    """
    found: list[Captioned] = []
    for place in datasets:
        rows = _folder(place, instance_prompt) if place.is_dir() else _file(place, place.parent, instance_prompt)
        for row in rows:
            try:
                if isinstance(row, InvalidRequest):
                    raise row
                row.open()
                found.append(row)
            except InvalidRequest as error:
                if skipped is None:
                    raise
                skipped.add(str(error))
    if not found:
        raise InvalidRequest(
            f"no pictures with captions in {', '.join(map(str, datasets))}: a folder has {METADATA}, a .txt beside each"
            " picture, or pictures alone and --instance-prompt",
            param="dataset",
        )
    return found


def digest(rows: Iterable[Captioned]) -> str:
    """SHA-256 over captions and pictures' bytes, in order."""
    total = hashlib.sha256()
    for row in rows:
        total.update(row.caption.encode())
        total.update(row.open_bytes())
    return total.hexdigest()


def _folder(folder: Path, instance_prompt: str | None) -> Iterator[Captioned | InvalidRequest]:
    if (folder / METADATA).is_file():
        yield from _file(folder / METADATA, folder, instance_prompt)
        return
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()):
        where = str(path.relative_to(folder.parent))
        beside = path.with_suffix(".txt")
        try:
            caption = beside.read_text("utf-8-sig").strip() if beside.is_file() else instance_prompt
        except (OSError, UnicodeDecodeError) as error:
            yield InvalidRequest(f"{beside.relative_to(folder.parent)}: {error}", param="dataset")
            continue
        if caption:
            yield Captioned(caption, where, path)
        else:
            yield InvalidRequest(f"{where} has no caption: {beside.name} is missing or empty", param="dataset")


def _file(file: Path, home: Path, instance_prompt: str | None) -> Iterator[Captioned | InvalidRequest]:
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_LIMIT_BYTES), ""), 1):
                if line.strip():
                    where = f"{file.name}, row {number}"
                    try:
                        yield _row(json.loads(line), where, home, instance_prompt)
                    except (ValueError, RecursionError) as error:
                        yield InvalidRequest(f"{where}: {error}", param="dataset")
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}", param="dataset") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8 text: {error.reason}", param="dataset") from error


def _row(row: Any, where: str, home: Path, instance_prompt: str | None) -> Captioned:
    """ValueError with the reason when it is none."""
    if not isinstance(row, dict):
        raise ValueError(f"a row is an object, not {type(row).__name__}")
    caption = next((row[key] for key in TEXT_KEYS if key in row), instance_prompt)
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError(f"a row has its caption in {' or '.join(TEXT_KEYS)}, a string")
    if "image" in row:
        return Captioned(caption, where, _inline(row["image"]))
    return Captioned(caption, where, _inside(row.get("file_name"), home))


def _inline(image: Any) -> bytes:
    head, comma, body = image.partition(",") if isinstance(image, str) else ("", "", "")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ValueError("image is a data URL: data:image/png;base64,…")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError(f"image is not base64: {error}") from error


def _inside(name: Any, home: Path) -> Path:
    """The file `name`, which may not lead out of its folder."""
    if not isinstance(name, str) or not name:
        raise ValueError("a row names its picture in file_name, or holds it in image")
    path = (home / name).resolve()
    if not path.is_relative_to(home.resolve()):
        raise ValueError(f"file_name {name!r} leads out of the folder")
    if not path.is_file():
        raise ValueError(f"there is no file {name!r}")
    return path
