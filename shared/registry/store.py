"""Model versions on disk: a name, its versions, and one pointer file that says which is served.

    DATA_DIR/models/<name>/<version>/   a model or adapter folder in Hugging Face format, plus card.json
    DATA_DIR/models/<name>/current      the version that is served, those before it, the last number
    DATA_DIR/models/.drafts/            on their way in or out; left by a killed process, `collect` clears them away

A version is there when the pointer counts it, so a crash at any point leaves what was served before. A service finds a
new version by looking, without a message.
"""

import json
import shutil
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.blobs import room_on_disk
from shared.errors import InvalidRequest, NotFound
from shared.registry import names, pointer
from shared.registry.names import CARD
from shared.registry.pointer import Pointer


@dataclass(frozen=True)
class Version:
    name: str
    version: str
    path: Path
    card: dict[str, Any]
    """At least `service` ("text") and `created` (Unix seconds); an adapter also has `base`."""
    served: bool = True

    @property
    def number(self) -> int | None:
        return names.number_of(self.version)

    @property
    def id(self) -> str:
        """A name that always means this version: `ft:gpt2:acme:ads:3`."""
        return f"{self.name}:{self.number or self.version}"

    @property
    def base(self) -> str | None:
        """The model under an adapter; with a version where it was published here, so that a newer base changes
        nothing."""
        base, version = self.card.get("base"), self.card.get("base_version")
        return f"{base}:{version}" if base and version else base


def publish(data_dir: Path, name: str, folder: Path, card: dict[str, Any]) -> Version:
    """Copy `folder` in as the newest version of `name` and serve it. Raises StorageFull; then nothing was kept."""
    models = data_dir / "models"
    home = models / names.check_name(name)
    _refuse_ambiguity(models, name)
    card = {"created": int(time.time()), **_with_parent(data_dir, card), "name": name}
    with room_on_disk(), pointer.draft_folder(models) as draft:
        try:
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            pointer.sync(draft)
            with pointer.writing(models):
                return _admit(home, draft, card)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def _admit(home: Path, draft: Path, card: dict[str, Any]) -> Version:
    """The draft becomes the next version: a rename, then the pointer's."""
    old = pointer.read(home)
    number = 1 + max([old.last if old else 0, *(names.number_of(path.name) or 0 for path in _folders(home))])
    version = f"{number}-{uuid.uuid4().hex[:6]}"
    card = {**card, "version": version}
    pointer.write_synced(draft / CARD, json.dumps(card, indent=2) + "\n")
    pointer.sync_folder(draft)
    home.mkdir(exist_ok=True)
    target = home / version
    draft.rename(target)
    try:
        before = (old.version, *old.before) if old else ()
        pointer.write(home, Pointer(version, before, number))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return Version(home.name, version, target, card)


def promote(data_dir: Path, name: str, version: str) -> Version:
    """Serve `version` (number or id) of `name` from now on, newer or older. Raises NotFound."""
    home = data_dir / "models" / names.check_name(name)
    with room_on_disk(), pointer.writing(home.parent):
        chosen = _version(home, version)
        old = _pointer(home)
        if chosen.version != old.version:
            before = tuple(each for each in (old.version, *old.before) if each != chosen.version)
            pointer.write(home, Pointer(chosen.version, before, old.last))
    return replace(chosen, served=True)


def roll_back(data_dir: Path, name: str) -> Version:
    """Serve what was served before; once more goes further back. Raises NotFound, or InvalidRequest at the first."""
    home = data_dir / "models" / names.check_name(name)
    with room_on_disk(), pointer.writing(home.parent):
        old = _pointer(home)
        if not old.before:
            raise InvalidRequest(f"nothing was served as {name} before {old.version}", param="model")
        pointer.write(home, Pointer(old.before[0], old.before[1:], old.last))
    return resolve(data_dir, name)


def resolve(data_dir: Path, name: str) -> Version:
    """The version that `name` means: the served one of a model, or `<model>:<number or id>`. Raises NotFound."""
    models = data_dir / "models"
    if names.is_name(name) and (found := pointer.read(models / name)):
        try:
            return _read(models / name, found.version, served=True)
        except NotFound:  # promoted and deleted between the two reads
            return _read(models / name, _pointer(models / name).version, served=True)
    if parts := names.split(name):
        return _version(models / parts[0], parts[1])
    raise _unknown(name)


def versions(data_dir: Path, name: str) -> list[Version]:
    """All versions of the model `name`, the oldest first. Raises NotFound."""
    home = data_dir / "models" / name
    if not names.is_name(name):
        raise _unknown(name)
    found = _pointer(home)
    every = [_read(home, path.name, path.name == found.version) for path in _folders(home) if _counts(path, found)]
    return sorted(every, key=lambda each: (each.number or 0, each.card["created"]))


def remove(data_dir: Path, name: str) -> None:
    """Forget the model `name` with all its versions: from then on nobody resolves it. Raises NotFound."""
    home = data_dir / "models" / name
    if not names.is_name(name):
        raise _unknown(name)
    with pointer.writing(home.parent):
        _pointer(home)
        (home / pointer.POINTER).unlink()
        discard(home.parent, home)


def remove_version(data_dir: Path, name: str, version: str) -> None:
    """Delete one version. Raises NotFound, or InvalidRequest for the one that is served."""
    home = data_dir / "models" / names.check_name(name)
    with room_on_disk(), pointer.writing(home.parent):
        chosen = _version(home, version)
        if chosen.served:
            raise InvalidRequest(
                f"{chosen.id} is what {name} serves: promote another first, or delete {name}", param="model"
            )
        forget(home, chosen.version)
        discard(home.parent, chosen.path)


def delete(data_dir: Path, name: str) -> None:
    """A model with all its versions, or the one version that `name` means.

    Raises NotFound; InvalidRequest for a version that is served, and while adapters need it.
    """
    chosen = resolve(data_dir, name)
    whole = chosen.name == name
    needed_by = [
        each.id
        for served in list_models(data_dir)
        for each in versions(data_dir, served.name)
        if each.card.get("base") == chosen.name
        and (whole or each.card.get("base_version") == chosen.version)
        and each.name != chosen.name
    ]
    if needed_by:
        raise InvalidRequest(f"{name} is the base of {', '.join(needed_by[:5])}: delete those first", param="model")
    if whole:
        remove(data_dir, name)
    else:
        remove_version(data_dir, chosen.name, chosen.version)


def forget(home: Path, version: str) -> None:
    """Take a version that is not served out of the history; for a caller that holds the lock."""
    old = _pointer(home)
    if version in old.before:
        before = tuple(each for each in old.before if each != version)
        pointer.write(home, Pointer(old.version, before, old.last))


def orphans(models: Path) -> list[Path]:
    """Versions whose publisher was killed before the pointer knew of them."""
    homes = [path for path in models.glob("[!.]*") if path.is_dir()]
    return [path for home in homes for path in _folders(home) if not _counts(path, pointer.read(home) or Pointer(""))]


def list_models(data_dir: Path, service: str | None = None) -> list[Version]:
    """The served version of every name, of one `service` if given; the oldest first."""
    found: list[Version] = []
    for path in (data_dir / "models").glob(f"*/{pointer.POINTER}"):
        try:
            version = resolve(data_dir, path.parent.name)
        except NotFound:  # removed while we looked
            continue
        if service in (None, version.card.get("service")):
            found.append(version)
    return sorted(found, key=lambda version: (version.card["created"], version.name))


def _version(home: Path, version: str) -> Version:
    """`version` is a number or an id."""
    found = _pointer(home)
    for path in _folders(home):
        if version in (path.name, str(names.number_of(path.name))) and _counts(path, found):
            return _read(home, path.name, path.name == found.version)
    raise NotFound(f"{home.name} has no version {version[:40]!r}", code="model_not_found", param="version")


def _read(home: Path, version: str, served: bool) -> Version:
    try:
        return Version(home.name, version, home / version, json.loads((home / version / CARD).read_text()), served)
    except FileNotFoundError:
        raise _unknown(home.name) from None


def _pointer(home: Path) -> Pointer:
    found = pointer.read(home)
    if found is None:
        raise _unknown(home.name)
    return found


def _folders(home: Path) -> list[Path]:
    return [path for path in home.glob("[0-9]*") if (path / CARD).is_file()] if home.is_dir() else []


def _counts(path: Path, found: Pointer) -> bool:
    """Whether the pointer knows it; else its publisher was killed a moment too early."""
    return (names.number_of(path.name) or 0) <= found.last


def discard(models: Path, path: Path) -> None:
    """Out of sight by one rename, then off the disk."""
    drafts = models / pointer.DRAFTS
    drafts.mkdir(exist_ok=True)
    trash = path.rename(drafts / uuid.uuid4().hex)
    shutil.rmtree(trash)


def _with_parent(data_dir: Path, card: dict[str, Any]) -> dict[str, Any]:
    """A base that was published here is noted with its version."""
    base = card.get("base")
    if not base:
        return card
    try:
        found = resolve(data_dir, base)
    except NotFound:  # it came with the project, or from the hub
        return card
    return {**card, "base": found.name, "base_version": found.version}


def _refuse_ambiguity(models: Path, name: str) -> None:
    parts = names.split(name)
    if parts and pointer.read(models / parts[0]):
        raise InvalidRequest(f"{name} would read as version {parts[1]} of {parts[0]}", param="name")


def _unknown(name: str) -> NotFound:
    return NotFound(f"no model {name[:120]!r}", code="model_not_found", param="model")
