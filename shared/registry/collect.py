"""Garbage collection: versions that nobody needs any more, and what killed processes left behind."""

import shutil
import time
from pathlib import Path

from shared.registry import pointer, store
from shared.registry.store import Version

STALE_S = 60.0
"""A draft is younger than this between being made and being locked."""


def collect(data_dir: Path, keep: int = 3, dry_run: bool = False) -> list[Version]:
    """Delete, per model, all but the served version, the last `keep`, and what adapters that stay have as their base.

    Returns what was deleted, or would be. Drafts of killed publishers go too.
    """
    models = data_dir / "models"
    with pointer.writing(models):
        every = [each for served in store.list_models(data_dir) for each in store.versions(data_dir, served.name)]
        kept = _kept(every, keep)
        dropped = [each for each in every if (each.name, each.version) not in kept]
        if not dry_run:
            for version in dropped:
                store.forget(models / version.name, version.version)
                store.discard(models, version.path)
            for path in store.orphans(models):
                store.discard(models, path)
            _clear_drafts(models)
    return dropped


def _kept(every: list[Version], keep: int) -> set[tuple[str, str]]:
    kept: set[tuple[str, str]] = set()
    for name in {each.name for each in every}:
        own = [each for each in every if each.name == name]
        kept |= {(name, each.version) for each in own if each.served}
        kept |= {(name, each.version) for each in own[max(len(own) - keep, 0) :]}
    # an adapter's base is a whole model, so one look is enough
    bases = {
        (each.card.get("base"), each.card.get("base_version")) for each in every if (each.name, each.version) in kept
    }
    return kept | {(base, version) for base, version in bases if base and version}


def _clear_drafts(models: Path) -> None:
    for path in (models / pointer.DRAFTS).glob("*"):
        if time.time() - path.stat().st_mtime > STALE_S:
            with pointer.locked(path) as ours:
                if ours:
                    shutil.rmtree(path)
