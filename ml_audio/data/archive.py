"""A zip of a folder, as one uploads it: unpacked with nothing written outside, and nothing larger than it may be."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from shared.errors import InvalidRequest, TooLarge

MOST_BYTES = 32 * 2**30
MOST_FILES = 500_000
MOST_GROWTH = 200
"""Unpacked bytes per packed one: sound does not shrink so far, an archive that is made to fill a disk does."""


def unpack(datasets: list[Path], cache: Path) -> list[Path]:
    """Each of `datasets` that is a zip, whatever its name, as a folder below `cache`; the others as they are.

    InvalidRequest or TooLarge on `dataset`.
    """
    folders: list[Path] = []
    for number, path in enumerate(datasets):
        if not path.exists():
            raise InvalidRequest(f"{path}: there is no such file or folder", param="dataset")
        folders.append(_unpack(path, cache / f"unpacked-{number}") if path.is_file() else path)
    return folders


def _unpack(path: Path, folder: Path) -> Path:
    if folder.is_dir():
        return folder
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path)
            archive.extractall(draft)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidRequest(
            f"{path.name} is neither a folder nor a readable zip of one: {error}", param="dataset"
        ) from error
    draft.rename(folder)
    return folder


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or unpacked > MOST_BYTES:
        raise TooLarge(f"{path.name} holds {len(entries):,} files of {unpacked / 2**30:.1f} GB", param="dataset")
    if unpacked > MOST_GROWTH * max(1, path.stat().st_size) + 2**20:
        raise TooLarge(
            f"{path.name} unpacks to {unpacked / 2**20:,.0f} MB, {MOST_GROWTH} times its size", param="dataset"
        )
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        is_link = (entry.external_attr >> 28) == 0xA
        if name.is_absolute() or ".." in name.parts or is_link:
            raise InvalidRequest(f"{path.name}: {entry.filename!r} points outside of the archive", param="dataset")
