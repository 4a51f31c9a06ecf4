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
ROWS, SEED = 140_000, 1
SHAPE = ["--preset", "starter", "--vocab-size", "3584", "--copying-heads"]
STEPS = ["--batch-size", "8", "--learning-rate", "0.0012", "--warmup-steps", "100", "--eval-steps", "400"]
RECIPE = [*STEPS, "--seed", "1"]
GENERATION = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
"""What the starter answers with when a request says nothing: lively, and rarely wrong."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=150)
    parser.add_argument("--rows", type=int, default=ROWS)
    args = parser.parse_args()
    corpus = WORK / "corpus.jsonl"
    if not corpus.is_file():
        run("ml_text.corpus", str(corpus), "--rows", str(args.rows), "--seed", str(SEED))
    resume = ["--resume"] if (WORK / "run" / "checkpoints").is_dir() else []
    minutes = ["--max-minutes", str(args.minutes)]
    options = ["--dataset", str(corpus), "--output-dir", str(WORK / "run"), "--no-publish", "--epochs", "3"]
    run("ml_text.train", "scratch", *options, *SHAPE, *RECIPE, *minutes, *resume)
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
