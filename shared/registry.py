"""Model versions on disk: a name, its versions, and one pointer file that says which is served.

    DATA_DIR/models/<name>/<version>/   a model or adapter folder in Hugging Face format, plus card.json
    DATA_DIR/models/<name>/current      the version's name; replaced by one rename, so a reader sees old or new

A service finds a new version by looking, without a message.
"""

import json
import os
import re
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import InvalidRequest, NotFound

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
CARD = "card.json"


@dataclass(frozen=True)
class Version:
    name: str
    version: str
    path: Path
    card: dict[str, Any]
    """At least `service` ("text") and `created` (Unix seconds); an adapter also has `base`."""

    @property
    def base(self) -> str | None:
        return self.card.get("base")


def check_name(name: str) -> str:
    """`name`, if it is safe as a folder's name; else InvalidRequest on `model`."""
    if not NAME.fullmatch(name) or ".." in name:
        raise InvalidRequest(
            f"{name!r} is not a model name: letters, digits and . _ : - only, 100 at most", param="model"
        )
    return name


def publish(data_dir: Path, name: str, folder: Path, card: dict[str, Any]) -> Version:
    """Copy `folder` in as the newest version of `name` and point to it. A crash leaves the old version served."""
    home = data_dir / "models" / check_name(name)
    version = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    draft = home / f".{version}"
    home.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(folder, draft)
        full = {"created": int(time.time()), **card, "name": name, "version": version}
        (draft / CARD).write_text(json.dumps(full, indent=2) + "\n")
        _sync(draft)
        draft.rename(home / version)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    promote(data_dir, name, version)
    return resolve(data_dir, name)


def promote(data_dir: Path, name: str, version: str) -> None:
    """Serve `version` of `name` from now on: newer or older, one rename either way."""
    home = data_dir / "models" / check_name(name)
    if version.startswith(".") or "/" in version or not (home / version / CARD).is_file():
        raise NotFound(f"{name} has no version {version!r}", code="model_not_found", param="version")
    draft = home / f".current-{uuid.uuid4().hex}"
    with draft.open("w") as file:
        file.write(version)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / "current")


def resolve(data_dir: Path, name: str) -> Version:
    """The version of `name` that is served now; NotFound when there is none."""
    if not NAME.fullmatch(name) or ".." in name:
        raise NotFound(f"no model {name!r}", code="model_not_found", param="model")
    home = data_dir / "models" / name
    try:
        version = (home / "current").read_text().strip()
        card = json.loads((home / version / CARD).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"no model {name!r}", code="model_not_found", param="model") from error
    return Version(name, version, home / version, card)


def remove(data_dir: Path, name: str) -> None:
    """Forget `name` with all its versions: the pointer first, so that from then on nobody resolves it. NotFound."""
    home = resolve(data_dir, name).path.parent
    try:
        (home / "current").unlink()
    except FileNotFoundError as error:  # another request was faster
        raise NotFound(f"no model {name!r}", code="model_not_found", param="model") from error
    shutil.rmtree(home)


def list_models(data_dir: Path, service: str) -> list[Version]:
    """The served version of every name that belongs to `service`, oldest name first."""
    found: list[Version] = []
    for pointer in (data_dir / "models").glob("*/current"):
        try:
            version = resolve(data_dir, pointer.parent.name)
        except NotFound:  # removed while we looked
            continue
        if version.card.get("service") == service:
            found.append(version)
    return sorted(found, key=lambda version: (version.card["created"], version.name))


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
