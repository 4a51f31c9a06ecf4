"""From a model's name to its folder: published versions, what ships, the operator's own, the hub's cache."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from shared import registry
from shared.errors import Forbidden, InvalidRequest, NotFound
from shared.settings import ServiceSettings

ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Places:
    """What a service's models are called, and what lies in their folders."""

    service: str
    shipped: Mapping[str, Path]
    short_names: Mapping[str, str]
    """Name -> hub repo."""
    config: str
    """The file that a model's folder has: config.json, model_index.json."""
    hub_files: Sequence[str]
    """What is fetched: never pickled weights, never code."""
    not_fetched: Sequence[str] = ()
    """Of those, what is left out."""


@dataclass(frozen=True)
class Source:
    """A model folder, or an adapter folder with its `base`'s name."""

    name: str
    folder: Path
    created: int
    base: str | None = None
    version: str | None = None
    """A name that means this version for ever, where it was published here."""

    @property
    def key(self) -> str:
        """Another version is another folder, so another key."""
        return str(self.folder)


class Sources:
    """Looks at the disk at every call, so a name published a moment ago is there. A service's own says its `places`."""

    places: ClassVar[Places]

    def __init__(self, settings: ServiceSettings) -> None:
        self._data_dir, self._token = settings.data_dir, settings.hf_token
        self._hub_dir = settings.data_dir / "hub"  # a model from elsewhere can be put there by hand: a folder per name
        self._own: dict[str, Source] = {}

    def add(self, source: Source) -> None:
        """Offer a folder that the operator named."""
        self._own[source.name] = source

    def find(self, name: str) -> Source:
        """The source of `name`; NotFound, with where to put it, when it is nowhere on disk."""
        if name in self._own:
            return self._own[name]
        try:
            version = registry.resolve(self._data_dir, name)
        except NotFound:
            pass
        else:
            if version.card.get("service") == self.places.service:
                return _published(name, version)
        if name in self.places.shipped and (self.places.shipped[name] / self.places.config).is_file():
            return self._source(name, self.places.shipped[name])
        folder = self._on_disk(name)
        if folder is None:
            raise NotFound(self._how_to_get(name), code="model_not_found", param="model")
        return self._source(name, folder)

    def base_of(self, source: Source) -> Source:
        """`source`, or what it is an adapter of. Raises NotFound or InvalidRequest."""
        base = source if source.base is None else self.find(source.base)
        if base.base is not None:
            why = f"{source.name} is an adapter of {base.name}, which is an adapter itself"
            raise InvalidRequest(why, param="model")
        return base

    def list(self) -> list[Source]:
        """Everything that `find` would find, without what nobody named: own, starter, published, short names."""
        found = dict(self._own)
        for name in [*self.places.shipped, *self.places.short_names]:
            try:
                found.setdefault(name, self.find(name))
            except NotFound:
                continue
        for version in registry.list_models(self._data_dir, self.places.service):
            found.setdefault(version.name, _published(version.name, version))
        return list(found.values())

    def remove(self, name: str) -> None:
        """Delete a published model or adapter, whose name is free from now on, or one version (`name:3`) of it.

        Raises NotFound, Forbidden for what was not published here, InvalidRequest while it is served or needed.
        """
        self.published(name)
        registry.delete(self._data_dir, name)

    def versions(self, name: str) -> "list[registry.Version]":
        """Of a published model, the oldest first. Raises NotFound or Forbidden."""
        return registry.versions(self._data_dir, self.published(name).name)

    def promote(self, name: str, version: str | None = None) -> registry.Version:
        """Serve `version`, or what was served before. Raises NotFound, Forbidden or InvalidRequest."""
        model = self.published(name).name
        if version is None:
            return registry.roll_back(self._data_dir, model)
        return registry.promote(self._data_dir, model, version)

    def save(self, name: str, new: str) -> registry.Version:
        """Publish what `name` means under another name. Raises NotFound, InvalidRequest or StorageFull."""
        source = self.find(name)
        taken = new in self._own or new in self.places.shipped or new in self.places.short_names
        if taken or not registry.NAME.fullmatch(new) or ".." in new or registry.model_of(new) != new:
            raise InvalidRequest(f"{new!r} is taken, or no name for a model", param="name")
        try:
            card = dict(self.published(name).card)
        except Forbidden:  # it came with the project, or from elsewhere
            card = {"service": self.places.service, "parent": source.name}
        kept = {key: value for key, value in card.items() if key not in ("name", "version", "created")}
        return registry.publish(self._data_dir, new, source.folder, kept)

    def published(self, name: str) -> registry.Version:
        """The version that `name` means. Raises NotFound, or Forbidden for what was not published here."""
        self.find(name)
        try:
            version = registry.resolve(self._data_dir, name)
        except NotFound:
            version = None
        if version is None or version.card.get("service") != self.places.service or name in self._own:
            raise Forbidden(f"{name} was not published here: it has no versions, and cannot be deleted", param="model")
        return version

    def newest_adapter(self, base: str) -> Source:
        """The adapter of `base` that was published last."""
        adapters = [source for source in self.list() if source.base and registry.model_of(source.base) == base]
        if not adapters:
            raise NotFound(f"no adapter of {base!r} has been published", code="model_not_found", param="adapter")
        return max(adapters, key=lambda source: source.created)

    def fetch(self, name: str) -> Source:
        """For the operator's own choice: a folder, a known name, or a repo that may be downloaded. Raises NotFound."""
        folder = Path(name).expanduser()
        if (folder / self.places.config).is_file():
            self.add(self._source(folder.resolve().name, folder.resolve()))
            return self._own[folder.resolve().name]
        try:
            source = self.find(name)
        except NotFound:
            if name in self.places.shipped:
                raise
            source = self._source(name, self._download(name))
        if name not in self.places.short_names and "/" in name:
            self.add(source)
        return source

    def _download(self, name: str) -> Path:
        from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        token = self._token
        try:
            return Path(
                snapshot_download(
                    self.places.short_names.get(name, name),
                    allow_patterns=list(self.places.hub_files),
                    ignore_patterns=list(self.places.not_fetched),
                    token=token.get_secret_value() if token else None,
                )
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NotFound(f"{self._how_to_get(name)} ({why})", code="model_not_found", param="model") from error

    def _on_disk(self, name: str) -> Path | None:
        if name not in self.places.short_names and not registry.NAME.fullmatch(name.replace("/", "--")):
            return None
        repo = self.places.short_names.get(name, name)
        for candidate in (
            self._hub_dir / name.replace("/", "--"),
            self._hub_dir / repo.replace("/", "--"),
        ):
            if ".." not in name and (candidate / self.places.config).is_file():
                return candidate
        if name not in self.places.short_names:
            return None  # a repo nobody named is not offered, even when it lies in this user's cache
        return self._cached(repo)

    def _how_to_get(self, name: str) -> str:
        if name not in self.places.short_names and "/" not in name:
            return f"no model {name!r}"
        folder = self._hub_dir / name.replace("/", "--")
        return f"{name!r} is not on this machine: put its config, tokenizer and safetensors into {folder}"

    def _source(self, name: str, folder: Path) -> Source:
        return Source(name, folder, int((folder / self.places.config).stat().st_mtime))

    def _cached(self, repo: str) -> Path | None:
        from huggingface_hub.constants import HF_HUB_CACHE

        home = Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
        try:
            folder = home / "snapshots" / (home / "refs" / "main").read_text().strip()
        except OSError:
            return None
        whole = (folder / self.places.config).is_file() and any(folder.rglob("*.safetensors"))
        return folder if whole else None


def parameter_count(folder: Path) -> int:
    """How many numbers the safetensors in `folder` hold, read from their headers. https://github.com/huggingface/safetensors"""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(size, 100_000_000)))
        total += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    return total


def _published(name: str, version: registry.Version) -> Source:
    pinned = f"{version.name}:{version.version}"
    return Source(name, version.path, version.card["created"], version.base, pinned)
