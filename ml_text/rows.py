"""Dataset files -> rows for training and validation, kept on disk, so that they are tokenised once and fit anywhere."""

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_text import data
from shared.errors import InvalidRequest
from shared.training import samples
from shared.training.packing import IGNORED, Rows, TrainingRows, pack
from shared.training.padding import PaddedRows, next_tokens, pad
from shared.training.samples import Chosen, Sample, chunks
from shared.training.settings import TrainingArgs

Parts = tuple[Sequence[Sample], ...]


@dataclass(frozen=True)
class PairRows:
    """Two samples a row, each padded to the longest of the batch."""

    first: Sequence[Sample]
    second: Sequence[Sample]
    fill: int

    def __len__(self) -> int:
        return len(self.first)

    def tokens(self, index: np.ndarray) -> int:
        return int(samples.sizes(self.first)[index].sum() + samples.sizes(self.second)[index].sum())


class SourceTargetRows(PairRows):
    """For an encoder–decoder: what it reads, and what it is to write."""

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """`input_ids` and `attention_mask` (B, S), `targets` (B, T) int64."""
        sources = [self.first[int(place)].ids for place in index]
        return {
            "input_ids": pad(sources, self.fill),
            "attention_mask": pad([np.ones(len(ids)) for ids in sources], 0),
            "targets": pad([self.second[int(place)].ids for place in index], IGNORED),
        }

    def loss_tokens(self, index: np.ndarray) -> int:
        return int(samples.sizes(self.second)[index].sum())


class PreferenceRows(PairRows):
    """A prompt with the better answer, and with the worse one."""

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        """`input_ids` and `targets` (2 B, T) int64: the better answers first, then the worse."""
        both = [part[int(place)] for part in (self.first, self.second) for place in index]
        ids = pad([sample.ids for sample in both], self.fill)
        return {"input_ids": ids, "targets": pad([next_tokens(sample) for sample in both], IGNORED)}

    def loss_tokens(self, index: np.ndarray) -> int:
        return len(index)


@dataclass(frozen=True)
class Layout:
    """How records become rows: samples of `parts` kinds, then rows of them, which may be kept in a folder."""

    name: str
    parts: int
    encode: Callable[[Iterable[Path], TrainingArgs, Any, data.Skipped], Iterator[tuple[Sample, ...]]]
    """(files, args, tokenizer, skipped): the samples of each record."""
    rows: Callable[[Parts, int, int, Path], TrainingRows]
    """(samples of each kind, the longest row, what padding is, a folder to keep rows in)"""


def _packed(parts: Parts, length: int, fill: int, folder: Path) -> TrainingRows:
    if not (folder / "filled.npy").is_file():
        pack(parts[0], length, fill, folder)
    return Rows.load(folder)


def _texts(files: Iterable[Path], args: TrainingArgs, tokenizer: Any, skipped: data.Skipped) -> Iterator[Any]:
    records = data.read(files, args.on_bad_row, skipped)
    return ((sample,) for sample in data.encode(records, tokenizer, args.sequence_length, skipped))


def _pairs(files: Iterable[Path], args: TrainingArgs, tokenizer: Any, skipped: data.Skipped) -> Iterator[Any]:
    records = data.read(files, args.on_bad_row, skipped)
    return data.encode_pairs(records, tokenizer, args.sequence_length, skipped)


def _preferences(files: Iterable[Path], args: TrainingArgs, tokenizer: Any, skipped: data.Skipped) -> Iterator[Any]:
    records = data.read_preferences(files, args.on_bad_row, skipped)
    return data.encode_preferences(records, tokenizer, args.sequence_length, skipped)


PACKED = Layout("packed", 1, _texts, _packed)
PADDED = Layout("padded", 1, _texts, lambda parts, _length, fill, _: PaddedRows(parts[0], fill))
SOURCE_TARGET = Layout(
    "source-target", 2, _pairs, lambda parts, _length, fill, _: SourceTargetRows(parts[0], parts[1], fill)
)
PREFERENCES = Layout(
    "preferences", 2, _preferences, lambda parts, _length, fill, _: PreferenceRows(parts[0], parts[1], fill)
)


@dataclass(frozen=True)
class Prepared:
    train: TrainingRows
    validation: TrainingRows
    records: int
    held_out: int
    skipped: data.Skipped


def prepare(args: TrainingArgs, tokenizer: Any, folder: Path, sha256: str, layout: Layout = PACKED) -> Prepared:
    """Read, tokenise, split and pack once; the second time the arrays are mapped from `folder`/cache."""
    cache = folder / "cache" / _key(args, tokenizer, sha256, layout)
    if not (cache / "counts.json").is_file():
        print("reading and tokenising the data …", file=sys.stderr)
        shutil.rmtree(cache.parent, ignore_errors=True)
        draft = cache.with_name(f".{cache.name}")
        _write(args, tokenizer, draft, layout)
        _rows(args, tokenizer, draft, layout)
        draft.rename(cache)
    counts = json.loads((cache / "counts.json").read_text())
    train, validation = _rows(args, tokenizer, cache, layout)
    return Prepared(train, validation, counts["records"], counts["held_out"], data.Skipped(**counts["skipped"]))


def _key(args: TrainingArgs, tokenizer: Any, sha256: str, layout: Layout) -> str:
    parts = [
        layout.name,
        sha256,
        data.digest(args.validation_dataset),
        hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
        str(tokenizer.chat_template),
        args.sequence_length,
        args.seed,
        args.validation_fraction,
        args.validation_records,
        args.on_bad_row,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write(args: TrainingArgs, tokenizer: Any, draft: Path, layout: Layout) -> None:
    """The samples of all records, and which of them are held out."""
    skipped = data.Skipped()

    def write(files: list[Path], home: str) -> int:
        rows = layout.encode(files, args, tokenizer, skipped)
        return len(samples.write(rows, draft / home, layout.parts)[0])

    many = write(args.dataset, "samples")
    if not many:
        raise InvalidRequest(_nothing(args, skipped), param="dataset")
    if args.validation_dataset:
        held_out = write(args.validation_dataset, "held_out")
        if not held_out:
            raise InvalidRequest(_nothing(args, skipped), param="validation_dataset")
        places = np.arange(many), np.arange(held_out)
    else:
        places = split(many, args)
    for name, chosen in zip(("train", "validation"), places, strict=True):
        np.save(draft / f"{name}.npy", chosen)
    counts = {"records": many, "held_out": len(places[1]), "skipped": asdict(skipped)}
    (draft / "counts.json").write_text(json.dumps(counts))


def _rows(args: TrainingArgs, tokenizer: Any, folder: Path, layout: Layout) -> tuple[TrainingRows, TrainingRows]:
    made: list[TrainingRows] = []
    for name, home in (("train", "samples"), ("validation", "held_out" if args.validation_dataset else "samples")):
        places = np.load(folder / f"{name}.npy")
        parts = tuple(Chosen(part, places) for part in samples.load(folder / home, layout.parts))
        made.append(layout.rows(parts, args.sequence_length, tokenizer.pad_token_id or 0, folder / name))
    return made[0], made[1]


def split(many: int, args: TrainingArgs) -> tuple[np.ndarray, np.ndarray]:
    """A seeded choice of records to hold out: at least one if a fraction is asked for and there are two."""
    wanted = min(round(many * args.validation_fraction), args.validation_records)
    if args.validation_fraction and args.validation_records and many > 1:
        wanted = max(1, wanted)
    chosen = np.array(sorted(random.Random(args.seed).sample(range(many), wanted)), dtype=np.int64)
    return np.setdiff1d(np.arange(many), chosen, assume_unique=True), chosen


def _nothing(args: TrainingArgs, skipped: data.Skipped) -> str:
    if skipped.long:
        return f"all {skipped.long} rows are longer than {args.sequence_length} tokens; raise --sequence-length"
    return "the dataset has no usable row" + (f"; the first bad one: {skipped.bad[0]}" if skipped.bad else "")


def report(prepared: Prepared, args: TrainingArgs) -> None:
    train, skipped = prepared.train, prepared.skipped
    tokens = sum(train.tokens(part) for part in chunks(len(train)))
    learnt = sum(train.loss_tokens(part) for part in chunks(len(train)))
    lines = [
        f"{prepared.records:,} samples ({prepared.held_out} held out) in {len(train):,} rows: {tokens:,} tokens, "
        f"{learnt:,} to learn from"
    ]
    lines += [f"skipped: {line}" for line in skipped.bad[:5]]
    if skipped.count:
        lines.append(f"{skipped.count} bad rows were skipped")
    if skipped.long:
        lines.append(
            f"{skipped.long} rows are longer than {args.sequence_length} tokens and were left out; "
            "raise --sequence-length to keep them"
        )
    print("\n".join(lines), file=sys.stderr)
