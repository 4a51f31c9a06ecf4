"""Datasets as they are named on the command line -> pictures for training and for validation."""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from ml_image.data import captioned
from ml_image.data.latents import LatentRows
from ml_image.data.pictures import SCENES, Brought, Drawn, Pictures
from shared.errors import InvalidRequest
from shared.training.settings import TrainingArgs

WORK = "work"


class PictureArgs(TrainingArgs):
    dataset: list[Path] = Field(
        min_length=1,
        description="folders (metadata.jsonl, or a .txt beside each picture), JSONL with pictures in it, or `scenes`",
    )
    instance_prompt: str | None = Field(None, description="caption of pictures that have none: a single subject")
    scenes: int = Field(30_000, gt=0, description="how many are drawn where the dataset is `scenes`")
    sequence_length: int = Field(32, ge=8, description="not used: a prompt is as long as the text encoder reads")
    log_steps: int = Field(10, gt=0, description="steps between two lines of events.jsonl")


def pictures(args: PictureArgs, resolution: int, multiple: int) -> tuple[Pictures, str]:
    """Them, and the SHA-256 of what they are made from. InvalidRequest on `dataset`, by file and row."""
    if args.dataset == [Path(SCENES)]:
        return Drawn(args.scenes, resolution), hashlib.sha256(f"{SCENES} {args.scenes}".encode()).hexdigest()
    skipped = captioned.Skipped() if args.on_bad_row == "skip" else None
    rows = captioned.read(args.dataset, args.instance_prompt, skipped)
    if skipped is not None and skipped.count:
        print(f"{skipped.count} pictures left out; {'; '.join(skipped.bad)}", file=sys.stderr)
    return Brought.of(rows, resolution, multiple), captioned.digest(rows)


def work_folder(folder: Path, made_of: str) -> Path:
    """Where what a run in `folder` made of its data lies; of other data, models or sizes nothing is taken over."""
    work = folder / WORK / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    if not work.is_dir():
        shutil.rmtree(folder / WORK, ignore_errors=True)
        work.mkdir(parents=True)
    return work


def split(rows: LatentRows, args: TrainingArgs) -> tuple[LatentRows, LatentRows]:
    """(train, validation): the same pictures at every attempt."""
    order = np.random.default_rng(args.seed).permutation(len(rows))
    held = min(args.validation_records, int(len(rows) * args.validation_fraction))
    if held >= len(rows):
        raise InvalidRequest("nothing is left to train on", param="validation_fraction")
    return rows.subset(np.sort(order[held:])), rows.subset(np.sort(order[:held]))


def captions(pictures: Pictures, many: int) -> Sequence[str]:
    return [pictures.captions(number)[0] for number in range(min(many, len(pictures)))]
