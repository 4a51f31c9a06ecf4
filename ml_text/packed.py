"""Dataset files -> packed rows for training and validation, kept on disk, so that they are tokenised once."""

import hashlib
import json
import random
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml_text import data
from shared.errors import InvalidRequest
from shared.training.packing import Rows, Sample, pack
from shared.training.settings import TrainingArgs


@dataclass(frozen=True)
class Prepared:
    train: Rows
    validation: Rows
    records: int
    held_out: int
    skipped: data.Skipped


def prepare(args: TrainingArgs, tokenizer: Any, folder: Path, sha256: str) -> Prepared:
    """Read, tokenise, split and pack once; the second time the arrays are mapped from `folder`/cache."""
    cache = folder / "cache" / _key(args, tokenizer, sha256)
    if not (cache / "counts.json").is_file():
        print("reading and tokenising the data …", file=sys.stderr)
        shutil.rmtree(cache.parent, ignore_errors=True)
        draft = cache.with_name(f".{cache.name}")
        _write(args, tokenizer, draft)
        draft.rename(cache)
    counts = json.loads((cache / "counts.json").read_text())
    skipped = data.Skipped(**counts.pop("skipped"))
    return Prepared(Rows.load(cache / "train"), Rows.load(cache / "validation"), skipped=skipped, **counts)


def _key(args: TrainingArgs, tokenizer: Any, sha256: str) -> str:
    parts = [
        sha256,
        hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
        str(tokenizer.chat_template),
        args.sequence_length,
        args.seed,
        args.validation_fraction,
        args.validation_records,
        args.on_bad_row,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write(args: TrainingArgs, tokenizer: Any, draft: Path) -> None:
    skipped = data.Skipped()
    records = data.read(args.dataset, args.on_bad_row, skipped)
    samples = list(data.encode(records, tokenizer, args.sequence_length, skipped))
    if not samples:
        raise InvalidRequest(_nothing(args, skipped), param="dataset")
    train, held_out = split(samples, args)
    pad = tokenizer.pad_token_id or 0
    pack(train, args.sequence_length, pad).save(draft / "train")
    pack(held_out, args.sequence_length, pad).save(draft / "validation")
    counts = {"records": len(samples), "held_out": len(held_out), "skipped": asdict(skipped)}
    (draft / "counts.json").write_text(json.dumps(counts))


def split(samples: list[Sample], args: TrainingArgs) -> tuple[list[Sample], list[Sample]]:
    """A seeded choice of records to hold out: at least one if a fraction is asked for and there are two."""
    wanted = min(round(len(samples) * args.validation_fraction), args.validation_records)
    if args.validation_fraction and args.validation_records and len(samples) > 1:
        wanted = max(1, wanted)
    chosen = set(random.Random(args.seed).sample(range(len(samples)), wanted))
    train = [sample for number, sample in enumerate(samples) if number not in chosen]
    return train, [samples[number] for number in sorted(chosen)]


def _nothing(args: TrainingArgs, skipped: data.Skipped) -> str:
    if skipped.long:
        return f"all {skipped.long} rows are longer than {args.sequence_length} tokens; raise --sequence-length"
    return "the dataset has no usable row" + (f"; the first bad one: {skipped.bad[0]}" if skipped.bad else "")


def report(prepared: Prepared, args: TrainingArgs) -> None:
    rows, length = prepared.train.ids.shape
    learnt = prepared.train.loss_tokens(np.arange(rows))
    print(
        f"{prepared.records:,} samples ({prepared.held_out} held out) in {rows:,} rows of {length} tokens, "
        f"{100 * learnt / (rows * length):.0f} % of them learnt",
        file=sys.stderr,
    )
    for line in prepared.skipped.bad[:5]:
        print(f"skipped: {line}", file=sys.stderr)
    if prepared.skipped.bad:
        print(f"{len(prepared.skipped.bad)} bad rows were skipped", file=sys.stderr)
    if prepared.skipped.long:
        print(
            f"{prepared.skipped.long} rows are longer than {args.sequence_length} tokens and were left out; "
            "raise --sequence-length to keep them",
            file=sys.stderr,
        )
