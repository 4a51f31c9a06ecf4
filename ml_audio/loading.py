"""A model in memory: which family, how large, on which device, and read only when it fits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ml_audio import catalog
from ml_audio.settings import AudioSettings
from ml_audio.sources import Source
from ml_audio.weights import Loading
from shared.errors import InvalidRequest
from shared.sources import parameter_count
from shared.training import adapters, memory
from shared.training.memory import choose_device

BYTES = {torch.float32: 4, torch.bfloat16: 2, torch.float16: 2}


@dataclass(frozen=True)
class Facts:
    """What is known of a model without loading it."""

    family: str
    kind: catalog.Kind
    parameters: int
    dtype: torch.dtype
    size_bytes: int


def look(folder: Path, name: str, settings: AudioSettings) -> Facts:
    """Reads config and file headers only. InvalidRequest for an architecture that FAMILIES does not have."""
    family = catalog.get_family(folder)
    parameters = sum(parameter_count(part) for part in [folder, *(path for path in folder.iterdir() if path.is_dir())])
    if not parameters:
        raise InvalidRequest(f"{name} has no safetensors weights in {folder}", param="model")
    dtype = choose_dtype(settings)
    return Facts(catalog.read_type(folder), family.kind, parameters, dtype, parameters * BYTES[dtype])


def load(base: Source, adapter: Source | None, settings: AudioSettings) -> Any:
    """The Speaker, Listener or Composer in memory, an adapter merged into its weights. OutOfMemory, before it is read,
    when it does not fit."""
    facts = look(base.folder, base.name, settings)
    device = choose_device(settings)
    memory.require(facts.size_bytes, device, base.name)
    how = Loading(base.folder, facts.dtype, device)
    if adapter:
        how = Loading(
            base.folder, facts.dtype, device, lambda model: adapters.merge(model, adapter.folder, adapter.name)
        )
    with torch.inference_mode():
        return catalog.FAMILIES[facts.family].load(how)


def choose_dtype(settings: AudioSettings) -> torch.dtype:
    """`settings.dtype`; else float32 on the CPU: spectrograms and vocoders of half precision hiss."""
    if settings.dtype != "auto":
        return getattr(torch, settings.dtype)
    return torch.float32 if choose_device(settings).type == "cpu" else torch.float16
