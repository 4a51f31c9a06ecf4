"""A folder of MIDI files -> packed rows of tokens, made once and kept in the run's folder.

A piece that is longer than a row is cut into excerpts of whole bars. Pieces are held out whole: no excerpt of one that
is learnt from is in the validation set.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml_audio.data import archive, clips
from ml_audio.music.interchange import from_midi
from ml_audio.music.midi import LARGEST_BYTES
from ml_audio.music.score import Note, Part, Score
from ml_audio.music.tokens import PAD, VOCABULARY, encode, header
from shared.errors import InvalidRequest
from shared.training import samples
from shared.training.packing import Rows, pack
from shared.training.samples import Chosen, Sample, Samples
from shared.training.settings import TrainingArgs

ENDINGS = (".mid", ".midi")
SHORTEST_BARS = 2


@dataclass(frozen=True)
class Pieces:
    train: Rows
    validation: Rows
    sha256: str
    pieces: int
    skipped: int


def prepare(args: TrainingArgs, folder: Path) -> Pieces:
    """InvalidRequest on `dataset` when there is nothing to learn from, or for a bad file unless those are skipped."""
    folders = archive.unpack(args.dataset, folder / "cache")
    held_out = archive.unpack(args.validation_dataset, folder / "cache" / "held-out")
    sha256 = clips.digest(folders)
    home = folder / "cache" / f"pieces-{_key(args, sha256, clips.digest(held_out))}"
    if not (home / "counts.json").is_file():
        print("reading the pieces …", file=sys.stderr)
        draft = home.with_name(f".{home.name}")
        shutil.rmtree(draft, ignore_errors=True)
        _write(args, folders, held_out, draft)
        draft.rename(home)
    counts = json.loads((home / "counts.json").read_text())
    return Pieces(Rows.load(home / "train"), Rows.load(home / "validation"), sha256, **counts)


def _key(args: TrainingArgs, *digests: str) -> str:
    parts = [
        *digests,
        VOCABULARY,
        args.sequence_length,
        args.seed,
        args.validation_fraction,
        args.validation_records,
        args.on_bad_row,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write(args: TrainingArgs, folders: list[Path], held_out: list[Path], draft: Path) -> None:
    skipped: list[str] = []
    owners: list[int] = []  # the piece of each sample
    learnt = _samples(args, folders, draft / "samples", owners, skipped)
    pieces = len(set(owners))
    if not pieces:
        raise InvalidRequest(f"there are no pieces to learn from{_first(skipped)}", param="dataset")
    if held_out:
        validation = _samples(args, held_out, draft / "held-out", [], skipped)
        train = learnt
    else:
        chosen = _held_out(args, pieces)
        inside = np.isin(np.unique(owners, return_inverse=True)[1], chosen)
        train, validation = Chosen(learnt, np.flatnonzero(~inside)), Chosen(learnt, np.flatnonzero(inside))
    for name, part in (("train", train), ("validation", validation)):
        pack(part, args.sequence_length, PAD, draft / name)
    (draft / "counts.json").write_text(json.dumps({"pieces": pieces, "skipped": len(skipped)}))
    for line in skipped[:5]:
        print(f"skipped: {line}", file=sys.stderr)


def _held_out(args: TrainingArgs, pieces: int) -> np.ndarray:
    """A seeded choice: at least one if a fraction is asked for and there are two."""
    wanted = min(round(pieces * args.validation_fraction), args.validation_records)
    if args.validation_fraction and args.validation_records and pieces > 1:
        wanted = max(1, wanted)
    return np.random.default_rng(args.seed).permutation(pieces)[:wanted]


def _samples(args: TrainingArgs, folders: list[Path], home: Path, owners: list[int], skipped: list[str]) -> Samples:
    def rows() -> Iterator[tuple[Sample]]:
        for number, path in enumerate(find(folders)):
            try:
                score = read(path)
            except InvalidRequest as error:
                if args.on_bad_row == "stop":
                    raise InvalidRequest(f"{path.name}: {error}", param="dataset") from error
                skipped.append(f"{path.name}: {error}")
                continue
            for excerpt in excerpts(score, args.sequence_length):
                owners.append(number)
                yield (sample(excerpt),)

    return samples.write(rows(), home, 1)[0]


def find(folders: list[Path]) -> list[Path]:
    """All MIDI files below, in the order of their names."""
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS]


def read(path: Path) -> Score:
    if path.stat().st_size > LARGEST_BYTES:
        raise InvalidRequest(f"more than {LARGEST_BYTES:,} bytes", param="dataset")
    return from_midi(path.read_bytes(), "dataset")


def sample(score: Score) -> Sample:
    """What the piece is asked to be is given; all that follows is learnt."""
    ids = np.array(encode(score))
    loss = np.ones(len(ids), dtype=bool)
    loss[: len(header(score))] = False
    return Sample(ids, loss)


def excerpts(score: Score, tokens: int) -> Iterator[Score]:
    """The piece, or parts of it, each of which fits into so many tokens."""
    if len(encode(score)) <= tokens:
        yield score
        return
    if score.bars < 2 * SHORTEST_BARS:
        return  # a bar or two that overflow a row are no music
    half = score.bars // 2
    yield from excerpts(_bars(score, 0, half), tokens)
    yield from excerpts(_bars(score, half, score.bars), tokens)


def _bars(score: Score, first: int, end: int) -> Score:
    low, high = first * score.bar_ticks, end * score.bar_ticks
    parts = tuple(
        Part(
            part.role,
            part.instrument,
            tuple(Note(note.start - low, note.pitch, note.duration) for note in part.notes if low <= note.start < high),
        )
        for part in score.parts
    )
    return Score(score.tempo_bpm, score.meter, score.tonic, score.mode, end - first, parts, score.mood, score.style)


def _first(skipped: list[str]) -> str:
    return f"; the first bad one: {skipped[0]}" if skipped else ": no file ends with .mid or .midi"
