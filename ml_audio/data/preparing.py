"""Clips -> arrays to learn from, kept in the run's folder so that they are made once."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_audio.data import archive, clips, ragged
from ml_audio.data.aligning import durations
from ml_audio.data.clips import Clip
from ml_audio.data.prosody import per_phoneme, pitch
from ml_audio.data.ragged import Shards
from ml_audio.models.spectrogram import HOP, SAMPLE_RATE_HZ, fbank, log_mel
from ml_audio.models.voice import Voice
from ml_audio.sound.reading import read_mono
from ml_audio.spoken import spoken, words
from shared.errors import InvalidRequest, ServiceError
from shared.training.settings import TrainingArgs

Made = tuple[dict[str, np.ndarray], dict[str, Any]]
SHARD = 500
SHORTEST_S, LONGEST_S = 0.15, 30.0


@dataclass(frozen=True)
class Dataset:
    shards: Shards
    train: np.ndarray
    validation: np.ndarray
    sha256: str
    skipped: int


def prepare(args: TrainingArgs, folder: Path, make: Callable[[Clip], Made], about: str) -> Dataset:
    """`make` turns a clip into arrays or raises InvalidRequest. What `ml_audio.corpus` made is taken as it is.

    `about` is part of the key: what else the arrays depend on.
    """
    if all(is_prepared(path) for path in args.dataset):
        shards = Shards.load([part for path in args.dataset for part in parts(path)])
        rows = [part / ragged.ROWS for path in args.dataset for part in parts(path)]
        return split(args, shards, clips.digest(rows), 0)
    cache = folder / "cache"
    folders = archive.unpack(args.dataset, cache)
    sha256 = clips.digest(folders)
    home = cache / f"{about}-{sha256[:16]}"
    if not home.is_dir():
        print("reading the clips …", file=sys.stderr)
        _write(args, folders, home, make)
    skipped = int((home / "skipped").read_text())
    return split(args, Shards.load(parts(home)), sha256, skipped)


def is_prepared(path: Path) -> bool:
    return bool(parts(path))


def parts(path: Path) -> list[Path]:
    """The shards in a folder, or the folder if it is one."""
    if (path / ragged.ROWS).is_file():
        return [path]
    return sorted(found.parent for found in path.glob(f"*/{ragged.ROWS}") if not found.parent.name.startswith("."))


def _write(args: TrainingArgs, folders: list[Path], home: Path, make: Callable[[Clip], Made]) -> None:
    found, skipped = clips.read(folders, args.on_bad_row)
    draft = home.with_name(f".{home.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    made: list[Made] = []
    for number, clip in enumerate(found):
        try:
            made.append(make(clip))
        except ServiceError as error:
            if args.on_bad_row == "stop":
                raise InvalidRequest(f"{clip.where}, {clip.path.name}: {error}", param="dataset") from error
            skipped += 1
        if len(made) == SHARD or (made and number == len(found) - 1):
            columns = {name: [arrays[name] for arrays, _ in made] for name in made[0][0]}
            ragged.write(draft / f"part-{number:07}", columns, [row for _, row in made])
            made = []
    if not parts(draft):
        raise InvalidRequest("no clip can be used", param="dataset")
    (draft / "skipped").write_text(str(skipped))
    draft.rename(home)


def split(args: TrainingArgs, shards: Shards, sha256: str, skipped: int) -> Dataset:
    order = np.random.default_rng(args.seed).permutation(len(shards))
    held = min(round(args.validation_fraction * len(order)), args.validation_records)
    return Dataset(shards, np.sort(order[held:]), np.sort(order[:held]), sha256, skipped)


def _samples(clip: Clip) -> torch.Tensor:
    samples = read_mono(clip.path.read_bytes(), SAMPLE_RATE_HZ, LONGEST_S, "dataset")
    if len(samples) < SHORTEST_S * SAMPLE_RATE_HZ or not np.abs(samples).max() > 1e-4:
        raise InvalidRequest(f"shorter than {SHORTEST_S} s, or silent", param="dataset")
    return torch.from_numpy(samples)


def heard(clip: Clip) -> Made:
    """For a recogniser: energies and words."""
    said = " ".join(words(clip.text))
    if not said:
        raise InvalidRequest(f"nothing to say in {clip.text!r}", param="dataset")
    return {"features": fbank(_samples(clip)).numpy().astype(np.float16)}, {"text": said, "speaker": clip.speaker}


def sounding(clip: Clip) -> Made:
    """For a vocoder: the sound and its spectrogram."""
    samples = _level(_samples(clip))
    mel = log_mel(samples).numpy()
    hertz = pitch(samples).numpy()
    arrays = {
        "mel": mel.astype(np.float16),
        "samples": (samples.numpy() * 32767).astype(np.int16),
        "pitch": np.log(np.maximum(hertz, 1.0)),  # per frame here; what a scale is made of
        "energy": mel.mean(1),
    }
    return arrays, {"text": clip.text, "voice": clip.speaker}


def _level(samples: torch.Tensor) -> torch.Tensor:
    """(N,) -> (N',) with its peak at one half, filled up to whole frames."""
    return torch.nn.functional.pad(samples * (0.5 / samples.abs().max()), (0, -len(samples) % HOP))


def speaking(voice: Voice, speaker: str = "") -> Callable[[Clip], Made]:
    """For a voice: what `ml_audio.corpus` makes, the times of the phonemes found by `voice`."""

    def make(clip: Clip) -> Made:
        text = spoken(clip.text)
        phonemes = voice.pronouncer.pronounce(text)
        if not phonemes:
            raise InvalidRequest(f"nothing to say in {clip.text!r}", param="dataset")
        if phonemes[-1] not in ",.?!":
            phonemes.append(".")
        samples = _level(_samples(clip))
        mel = log_mel(samples).numpy()
        frames = durations(voice, phonemes, mel, voice.scale, speaker)
        pitches, energies = per_phoneme(mel, pitch(samples).numpy(), frames)
        arrays = {
            "mel": mel.astype(np.float16),
            "durations": frames,
            "pitch": pitches,
            "energy": energies,
            "samples": (samples.numpy() * 32767).astype(np.int16),
        }
        return arrays, {"text": text, "phonemes": phonemes, "voice": clip.speaker}

    return make
