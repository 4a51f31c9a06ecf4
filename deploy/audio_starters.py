"""The audio starters again, from nothing: what they read and hear is made first, then each is trained on it.

espeak-ng reads out the sentences (GPL: it makes data, nothing of it ships), the project's composer writes the pieces.
Every step leaves its result in the work folder and is not made twice.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTERS = ROOT / "ml_audio" / "starter"
READING = ["--python-docs", "--text", *(f"{name}.md" for name in ("README", "DECISIONS", "LOG", "CHANGELOG"))]
"""What is read out, besides sentences by a grammar: prose that is there on every machine."""
PIECES = 20_000
Run = Callable[..., None]


@dataclass(frozen=True)
class Corpus:
    """One output of `python -m ml_audio.corpus`, by the kind's name."""

    kind: str
    utterances: int
    suffix: str = ""


CORPORA = (
    Corpus("lexicon", 2_500, ".json"),
    Corpus("words", 60_000, ".json"),
    Corpus("voice", 6_000),
    Corpus("recogniser", 21_000),
)


@dataclass(frozen=True)
class Training:
    """One run of `python -m ml_audio.train`."""

    method: str
    dataset: str
    minutes: float
    """of one core; more is better"""
    options: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """options whose values are paths in the work folder: name, path, …"""
    starter: str = ""
    """the folder of ml_audio/starter that it becomes"""


TRAININGS = (
    Training("pronouncer-scratch", "lexicon.json", 10),
    Training(
        "voice-scratch",
        "voice",
        55,
        ("--preset", "starter", "--vocoder", "griffin-lim"),
        ("--pronouncer", "pronouncer-scratch/model"),
        "voice",
    ),
    Training("recogniser-scratch", "recogniser", 95, ("--preset", "starter"), ("--words", "words.json"), "recogniser"),
    Training("music", "pieces", 60, ("--preset", "starter", "--learning-rate", "0.002"), (), "music"),
)


def train(work: Path, run: Run, starters: Path = STARTERS) -> None:
    """`run(module, *arguments)` runs a module of the project in a process of its own; the models go to `starters`."""
    for corpus in CORPORA:
        out = work / f"{corpus.kind}{corpus.suffix}"
        if corpus.suffix and out.is_file():
            continue  # folders are gone on with, shard by shard
        run("ml_audio.corpus", corpus.kind, str(out), "--utterances", str(corpus.utterances), *READING)
    if not (work / "composed").is_file():
        run("ml_audio.music.composer", str(work / "pieces"), "--pieces", str(PIECES))
        (work / "composed").touch()
    for training in TRAININGS:
        folder = work / training.method
        if not (folder / "model").is_dir():
            resume = ["--resume"] if (folder / "checkpoints").is_dir() else []
            places = [name if name.startswith("--") else str(work / name) for name in training.files]
            options = ["--dataset", str(work / training.dataset), "--output-dir", str(folder), "--no-publish"]
            limits = ["--epochs", "60", "--max-minutes", f"{training.minutes:g}"]
            run("ml_audio.train", training.method, *options, *limits, *training.options, *places, *resume)
        if training.starter:
            card = shutil.ignore_patterns("README.md")  # to be brought up to date by who measured
            shutil.copytree(folder / "model", starters / training.starter, dirs_exist_ok=True, ignore=card)
