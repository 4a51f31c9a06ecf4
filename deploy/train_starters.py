"""Makes the starters again, from nothing, and replaces ml_text/starter, ml_text/starter_embedding, ml_image/starter,
ml_image/judge and ml_audio/starter: `make train-starters`.

A killed run goes on where it stopped when it is started again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import audio_starters

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "ml_text" / "starter"
EMBEDDING = ROOT / "ml_text" / "starter_embedding"
WORK = ROOT / "build" / "starter"
STEPS = ["--batch-size", "7", "--sequence-length", "320", "--warmup-steps", "100", "--eval-steps", "400", "--compile"]
MINUTES = 240.0
EMBEDDING_ROWS, EMBEDDING_MINUTES = 60_000, 20.0
IMAGE, JUDGE = ROOT / "ml_image" / "starter", ROOT / "ml_image" / "judge"
IMAGE_MINUTES = 720.0
"""More is better up to a day at least: its error was still falling when it was shipped (ml_image/starter/README.md)."""
SCENES_A_MINUTE, FEWEST_SCENES = 140, 2_000
"""A core sees each a dozen times then."""
DECODER_SHARE = 1 / 12
"""Of the image minutes, and on top of them."""


@dataclass(frozen=True)
class Part:
    """One run of the trainer, on a corpus of its own; the second goes on from the first."""

    mix: str
    rows: int
    seed: int
    share: float
    """of the minutes"""
    options: tuple[str, ...]


PARTS = (
    Part("words", 300_000, 1, 0.2, ("--preset", "starter", "--copying-heads", "--learning-rate", "0.0015")),
    Part("designs", 220_000, 2, 0.8, ("--init", str(WORK / "words" / "model"), "--learning-rate", "0.0013")),
)
GENERATION = {"do_sample": True, "temperature": 0.6, "top_p": 0.9}
"""What the starter answers with when a request says nothing: lively, and rarely wrong."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training, both parts together")
    parser.add_argument("--image-minutes", type=float, default=IMAGE_MINUTES, help="of training the image starter")
    parser.add_argument("--only", choices=("text", "image", "audio"), help="these alone")
    args = parser.parse_args()
    makers: dict[str, Callable[[], None]] = {
        "image": lambda: train_image(args.image_minutes),
        "audio": lambda: audio_starters.train(WORK / "audio", run),
        "text": lambda: train_text(args.minutes),
    }
    for name, make in makers.items():
        if args.only in (None, name):
            make()


def train_text(minutes: float) -> None:
    """The model that chats and designs, and the one that embeds."""
    for part in PARTS:
        train(part, minutes * part.share)
    install(WORK / PARTS[-1].mix / "model")
    shutil.copytree(train_embedding(), EMBEDDING, dirs_exist_ok=True)


def train_image(minutes: float) -> None:
    """Pictures of drawn scenes, and the network that judges them."""
    folder = WORK / "image"
    if not (folder / "model").is_dir():
        resume = ["--resume"] if (folder / "checkpoints").is_dir() else []
        many = max(FEWEST_SCENES, round(minutes * SCENES_A_MINUTE))
        options = ["--dataset", "scenes", "--scenes", str(many), "--preset", "starter", "--output-dir", str(folder)]
        limits = ["--no-publish", "--epochs", "60", "--max-minutes", f"{minutes:g}", "--eval-steps", "1000"]
        run("ml_image.train", "scratch", *options, *limits, *resume)
    sharper = WORK / "image-decoder"
    if not (sharper / "model").is_dir():
        resume = ["--resume"] if (sharper / "checkpoints").is_dir() else []
        options = ["--model", str(folder / "model"), "--dataset", "scenes", "--output-dir", str(sharper)]
        limits = ["--no-publish", "--name", "starter", "--max-minutes", f"{minutes * DECODER_SHARE:g}"]
        run("ml_image.train", "decoder", *options, *limits, *resume)
    kept = shutil.ignore_patterns("README.md", "generation_config.json")  # the card, and how it likes to be asked
    shutil.copytree(sharper / "model", IMAGE, dirs_exist_ok=True, ignore=kept)
    if not (WORK / "judge").is_dir():
        run("ml_image.trainers.judging", str(WORK / "judge"))
    shutil.copytree(WORK / "judge", JUDGE, dirs_exist_ok=True)


def train_embedding() -> Path:
    """An encoder with the starter's tokenizer, on briefs and their designs; the model's folder."""
    corpus, folder = WORK / "embedding.jsonl", WORK / "embedding"
    if not corpus.is_file():
        drawn = WORK / "embedding-rows.jsonl"
        run("ml_text.corpus", str(drawn), "--rows", str(EMBEDDING_ROWS), "--seed", "31", "--mix", "designs")
        corpus.write_text("".join(line for line in drawn.open() if '"response"' in line))
    if not (folder / "model").is_dir():
        resume = ["--resume"] if (folder / "checkpoints").is_dir() else []
        options = ["--dataset", str(corpus), "--output-dir", str(folder), "--no-publish", "--epochs", "4"]
        limits = ["--max-minutes", f"{EMBEDDING_MINUTES:g}", "--eval-steps", "100"]
        run("ml_text.train", "contrastive", "--tokenizer", "starter", *options, *limits, *resume)
    return folder / "model"


def train(part: Part, minutes: float) -> None:
    corpus, folder = WORK / f"{part.mix}.jsonl", WORK / part.mix
    if (folder / "model").is_dir():
        return
    if not corpus.is_file():
        draw = ["--rows", str(part.rows), "--seed", str(part.seed), "--mix", part.mix]
        run("ml_text.corpus", str(corpus), *draw)
    resume = ["--resume"] if (folder / "checkpoints").is_dir() else []
    options = [
        "--dataset",
        str(corpus),
        "--output-dir",
        str(folder),
        "--seed",
        str(part.seed),
        "--epochs",
        "12",
        "--no-publish",
    ]
    run("ml_text.train", "scratch", *options, *STEPS, *part.options, "--max-minutes", f"{minutes:g}", *resume)


def run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=ROOT)


def install(model: Path) -> None:
    """The trained folder becomes ml_text/starter; its card stays, to be brought up to date by who measured."""
    for path in model.iterdir():
        shutil.copy2(path, STARTER / path.name)
    config = json.loads((STARTER / "generation_config.json").read_text())
    (STARTER / "generation_config.json").write_text(json.dumps(config | GENERATION, indent=2) + "\n")


if __name__ == "__main__":
    main()
