"""Checkpoints that a SIGKILL cannot spoil: each is one file, written beside its place and renamed into it."""

import os
from pathlib import Path
from typing import Any

import torch

from shared.errors import InvalidRequest

FOLDER = "checkpoints"
BEST = "best.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that `path` holds either what it held or all of `state`, power cuts included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Tensors and plain values only: a checkpoint cannot run code."""
    return torch.load(path, map_location="cpu", weights_only=True)


def path_of(output_dir: Path, step: int) -> Path:
    return output_dir / FOLDER / f"{step:08d}.pt"


def save_step(output_dir: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    path = path_of(output_dir, step)
    save(path, state)
    for old in found(output_dir)[:-keep]:
        old.unlink()
    for draft in path.parent.glob(".*.pt.*"):  # left by a run that was killed while it wrote
        draft.unlink()
    return path


def found(output_dir: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted((output_dir / FOLDER).glob("[0-9]*.pt"))


def newest(output_dir: Path) -> Path:
    """The checkpoint to resume from; InvalidRequest when there is none."""
    if not found(output_dir):
        raise InvalidRequest(f"there is no checkpoint in {output_dir / FOLDER} to resume from", param="resume")
    return found(output_dir)[-1]
