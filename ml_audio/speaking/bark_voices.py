"""Bark's voices: by name, the tokens and codes of something that somebody said.

The hub's are NumPy arrays, of which `speaker_embeddings_path.json` is the list; they are read without pickle. One's
own may be in `speakers.safetensors`: NAME.semantic_prompt, NAME.coarse_prompt, NAME.fine_prompt.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from shared.errors import InvalidRequest

History = dict[str, torch.Tensor]
LIST, OWN = "speaker_embeddings_path.json", "speakers.safetensors"
DIMENSIONS = {"semantic_prompt": 1, "coarse_prompt": 2, "fine_prompt": 2}  # (S,), (2, T), (8, T)


def read_voices(folder: Path, semantic_vocabulary: int, codebook_size: int) -> dict[str, History]:
    """Those that are there, in order: one's own, English ones, others. InvalidRequest for files that are none."""
    from safetensors import SafetensorError

    try:
        found = _own(folder) | _listed(folder)
        for name, history in found.items():
            _check(name, history, semantic_vocabulary, codebook_size)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise InvalidRequest(f"the voices in {folder.name} cannot be read: {error}", param="model") from error
    return found


def _own(folder: Path) -> dict[str, History]:
    from safetensors.torch import load_file

    if not (folder / OWN).is_file():
        return {}
    found: dict[str, History] = {}
    for key, codes in sorted(load_file(folder / OWN).items()):
        name, _, prompt = key.rpartition(".")
        found.setdefault(name, {})[prompt] = codes
    return found


def _listed(folder: Path) -> dict[str, History]:
    """A voice of the list whose files were not fetched is left out."""
    if not (folder / LIST).is_file():
        return {}
    listed: Mapping[str, Mapping[str, str]] = json.loads((folder / LIST).read_text())
    found: dict[str, History] = {}
    for name in sorted(listed, key=lambda name: (not name.startswith("v2/en"), name)):
        if name == "repo_or_path":
            continue
        files = {prompt: _inside(folder, listed[name][prompt]) for prompt in DIMENSIONS}
        if all(file.is_file() for file in files.values()):
            found[name] = {prompt: torch.from_numpy(_array(file)) for prompt, file in files.items()}
    return found


def _array(file: Path) -> np.ndarray:
    codes = np.load(file, allow_pickle=False)
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{file.name} holds {codes.dtype}, not whole numbers")
    return codes.astype(np.int64)


def _inside(folder: Path, path: str) -> Path:
    """By its parts, since files of the hub's cache are links to the outside."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r} is outside of the folder")
    return folder / parts


def _check(name: str, history: History, semantic_vocabulary: int, codebook_size: int) -> None:
    if set(history) != set(DIMENSIONS):
        raise ValueError(f"{name} needs {', '.join(DIMENSIONS)}")
    for prompt, codes in history.items():
        most = semantic_vocabulary if prompt == "semantic_prompt" else codebook_size
        if codes.dim() != DIMENSIONS[prompt] or not codes.numel() or codes.is_floating_point():
            raise ValueError(f"the {prompt} of {name} has the shape {tuple(codes.shape)} and holds {codes.dtype}")
        if not 0 <= int(codes.min()) <= int(codes.max()) < most:
            raise ValueError(f"the {prompt} of {name} has codes beyond {most - 1}")
