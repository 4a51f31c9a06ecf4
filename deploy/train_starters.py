"""Makes the starter again, from nothing, and replaces the folder ml_text/starter at the end: `make train-starters`.

A killed run goes on where it stopped when it is started again.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "ml_text" / "starter"
WORK = ROOT / "build" / "starter"
ROWS, SEEDS = 110_000, (1, 2)
"""Rows of each of the corpus's files, and the seed of each: drawing a file takes one core."""
SHAPE = ["--preset", "starter", "--copying-heads"]
STEPS = [
    "--batch-size",
    "8",
    "--learning-rate",
    "0.0013",
    "--warmup-steps",
    "100",
    "--eval-steps",
    "400",
    "--epochs",
    "4",
]
RECIPE = [*STEPS, "--seed", "1", "--compile"]
GENERATION = {"do_sample": True, "temperature": 0.6, "top_p": 0.9}
"""What the starter answers with when a request says nothing: lively, and rarely wrong."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=70, help="the learning rate has fallen by then")
    parser.add_argument("--rows", type=int, default=ROWS, help="of each file of the corpus")
    args = parser.parse_args()
    corpus = [WORK / f"corpus{seed}.jsonl" for seed in SEEDS]
    for path, seed in zip(corpus, SEEDS, strict=True):
        if not path.is_file():
            run("ml_text.corpus", str(path), "--rows", str(args.rows), "--seed", str(seed))
    resume = ["--resume"] if (WORK / "run" / "checkpoints").is_dir() else []
    data = [word for path in corpus for word in ("--dataset", str(path))]
    options = [*data, "--output-dir", str(WORK / "run"), "--no-publish", "--max-minutes", str(args.minutes)]
    run("ml_text.train", "scratch", *options, *SHAPE, *RECIPE, *resume)
    install(WORK / "run" / "model")


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
