"""Weights, tokenizers and processors out of a folder: safetensors only, no code of the repository, no network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shared.errors import InvalidRequest


@dataclass(frozen=True)
class Loading:
    """How a model is to be read from its folder."""

    folder: Path
    dtype: torch.dtype
    device: torch.device
    adapt: Callable[[Any], Any] = lambda model: model
    """Puts a LoRA adapter into the model, if there is one."""


def load_model(kind: Any, how: Loading, subfolder: str = "") -> Any:
    """A model of the class `kind` in evaluation mode. InvalidRequest when files are broken or weights are absent."""
    from safetensors import SafetensorError

    folder = how.folder / subfolder
    try:
        loaded: Any = kind.from_pretrained(
            folder,
            dtype=how.dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InvalidRequest(f"the files of {folder.name} cannot be read: {_line(error)}", param="model") from error
    model, info = loaded
    if info["missing_keys"]:  # transformers only warns and leaves them random
        raise InvalidRequest(
            f"{folder.name} lacks weights: {', '.join(sorted(info['missing_keys'])[:3])}", param="model"
        )
    return model.eval().to(how.device)


def load_tokenizer(folder: Path) -> Any:
    """InvalidRequest when there is none that can be read."""
    from transformers import AutoTokenizer

    return _read(AutoTokenizer, folder)


def load_processor(folder: Path) -> Any:
    """What turns text and sound into a model's input. InvalidRequest when there is none that can be read."""
    from transformers import AutoProcessor

    return _read(AutoProcessor, folder)


def _read(kind: Any, folder: Path) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError, AttributeError) as error:
        what = kind.__name__.removeprefix("Auto").lower()
        raise InvalidRequest(f"the {what} in {folder.name} cannot be read: {_line(error)}", param="model") from error


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
