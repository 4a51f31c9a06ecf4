"""What the trainers of this service have in common: the base is found, the options fitted to rows of many clips."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from ml_audio.data.preparing import Dataset
from ml_audio.settings import AudioSettings
from ml_audio.sources import Source, Sources
from shared.errors import InvalidRequest
from shared.training.settings import TrainingArgs

LAYERS = ["linear_q", "linear_k", "linear_v", "linear_out", "conv1", "conv2"]
QUICK: dict[str, Any] = {**TrainingArgs.QUICK, "validation_records": 16}


class ClipArgs(TrainingArgs):
    dataset: list[Path] = Field(
        min_length=1, description="folders of clips, or zips of them: LJSpeech's metadata.csv, or an audiofolder's"
    )
    batch_size: int = Field(16, gt=0, description="clips per forward pass, of like length")
    sequence_length: int = Field(256, ge=8, description="not used: clips are as long as they are")
    validation_records: int = Field(64, ge=0, description="but never more than these")


def find_base(model: str, settings: AudioSettings, kind: str) -> Source:
    """Where `model` is, of the architecture `kind`. InvalidRequest when it is an adapter, or another one."""
    source = Sources(settings).fetch(model)
    if source.base:
        raise InvalidRequest(f"{model} is itself an adapter; train on its base {source.base}", param="model")
    found = json.loads((source.folder / "config.json").read_text()).get("model_type")
    if found != kind:
        raise InvalidRequest(f"{model} is of the architecture {found}; this trainer takes {kind}", param="model")
    return source


def name_of(args: Any, base: str = "") -> str:
    """ft:starter:my-voice, or the dataset's name; what cannot stand in a name becomes a hyphen."""
    parts = [base, args.dataset[0].stem] if base else [args.dataset[0].stem]
    made = ":".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in parts)
    return args.name or (f"ft:{made}" if base else made)


def card_of(trainer: str, dataset: Dataset, **more: Any) -> dict[str, Any]:
    """What the card of a model that learnt from clips says."""
    return {
        "service": "audio",
        "trainer": trainer,
        "dataset_sha256": dataset.sha256,
        "clips": len(dataset.train),
        **more,
    }


def by_rows(args: TrainingArgs) -> TrainingArgs:
    """For the loop: a row holds `batch_size` clips already."""
    return args.model_copy(update={"batch_size": 1})


def quantisation(quantize: str | None) -> dict[str, Any]:
    """Arguments of from_pretrained for 4 or 8 bits, through bitsandbytes."""
    if quantize is None:
        return {"dtype": torch.float32}
    from transformers import BitsAndBytesConfig

    if quantize == "nf4":
        how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    else:
        how = BitsAndBytesConfig(load_in_8bit=True)
    return {"quantization_config": how, "dtype": torch.float32}


def indexed(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
