"""python -m ml_audio.music.composer FOLDER [--pieces N] [--seed N]: MIDI files to train a music model on."""

import argparse
import random
from dataclasses import replace
from pathlib import Path

from ml_audio.music.composer import compose
from ml_audio.music.interchange import to_midi

UNSAID = 0.1
"""The share of pieces whose mood or style is not told, so that a model knows what to do without."""
PER_FOLDER = 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--pieces", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    for number in range(args.pieces):
        score = compose(rng)
        if rng.random() < UNSAID:
            score = replace(score, mood=None) if rng.random() < 0.5 else replace(score, style=None)
        home = args.folder / f"{number // PER_FOLDER:03d}"
        home.mkdir(parents=True, exist_ok=True)
        (home / f"{number % PER_FOLDER:03d}.mid").write_bytes(to_midi(score))


if __name__ == "__main__":
    main()
