"""What the image starter makes: attributes, similarity, distance, seconds, and how sharp 512 px are.

    python -m benchmarks.image_starter [--prompts 200] [--sheet FILE]

Goals: 60 % of the named attributes of held-out combinations (trained on a CPU alone); 20 steps at 128 px in 3 s on one
core; 512 px in 30 s; there, above a quarter of the Nyquist frequency, half the energy of the same scenes drawn at 512.
The judge was trained on drawings alone; its own accuracy stands in the table.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.machine import describe, table
from ml_image import evaluate, loading
from ml_image.data.pictures import Drawn
from ml_image.evaluate import FIRST, generate
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared import scenes

SHARP = 24
"""Pictures whose spectrum is looked at."""
LARGE = 512


def energy_above(image: Image.Image, share: float = 0.25) -> float:
    """Of the picture without its mean, at radial frequencies above `share` of Nyquist."""
    pixels = np.asarray(image.convert("RGB")).astype(float) / 255
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(pixels - pixels.mean((0, 1)), axes=(0, 1)), axes=(0, 1))) ** 2
    half = pixels.shape[0] // 2
    y, x = np.mgrid[-half:half, -half:half] / half
    return float(spectrum[np.hypot(y, x) > share].sum())


def speed_and_sharpness() -> list[list[str]]:
    settings = ImageSettings()  # pyright: ignore[reportCallIssue]
    loaded = loading.load(Sources(settings).fetch("starter"), settings)
    defaults, pipe = loaded.defaults, loaded.pipe
    drawn = Drawn(SHARP, LARGE, FIRST, held_out=True)
    prompts = [scenes.caption(drawn.scene(number), random.Random(number)) for number in range(SHARP)]
    seconds = []
    for number in range(3):
        begun = time.perf_counter()
        (one,) = generate(pipe, prompts[number : number + 1], 20, defaults.guidance, defaults.rescale)
        middle = time.perf_counter()
        loaded.enlarge(one, LARGE, LARGE)
        seconds.append((middle - begun, time.perf_counter() - begun))
    small = generate(pipe, prompts, defaults.steps, defaults.guidance, defaults.rescale)
    ours = sum(energy_above(loaded.enlarge(image, LARGE, LARGE)) for image in small)
    plain = sum(energy_above(image.resize((LARGE, LARGE), Image.Resampling.LANCZOS)) for image in small)
    real = sum(energy_above(Image.fromarray(drawn.pixels(number))) for number in range(SHARP))
    fastest = [min(times) for times in zip(*seconds, strict=True)]
    return [
        ["20 steps at 128 px, s", f"{fastest[0]:.2f}", "3"],
        ["the same at 512 px, s", f"{fastest[1]:.2f}", "30"],
        ["energy above a quarter of Nyquist at 512 px, of the drawings'", f"{ours / real:.2f}", "0.5"],
        ["the same by Lanczos alone", f"{plain / real:.2f}", ""],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    args = evaluate.Args(prompts=given.prompts, sheet=given.sheet)  # pyright: ignore[reportCallIssue]
    report = evaluate.evaluate(args, ImageSettings())  # pyright: ignore[reportCallIssue]
    print(describe())
    rows = [
        [name, f"{side['attributes']['all']:.1%}", f"{side['similarity']:.3f}", f"{side['frechet']:.0f}"]
        for name, side in report["sides"].items()
    ]
    print(table(["", "named attributes right", "similarity to the prompt", "Fréchet distance"], rows))
    judge = report["judge"]
    print(table(["judge", "right"], [[part, f"{scores['all']:.1%}"] for part, scores in judge.items()]))
    ours, drawings = (report["sides"][side]["attributes"] for side in ("starter", "drawings"))
    right = [[key, f"{value:.0%}", f"{drawings[key]:.0%}"] for key, value in ours.items()]
    print(table(["attribute", "right", "of the drawings"], right))
    print(table(["figure", "value", "goal"], speed_and_sharpness()))


if __name__ == "__main__":
    main()
