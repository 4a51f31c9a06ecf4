"""Whether an adapter learns a style from twelve pictures. Goals: 10 minutes on two cores; similarity to held-out
pictures of that style up by 0.1, and more than by any of three adapters that were trained on something else.

    python -m benchmarks.image_lora [--steps 300] [--held-out 12]

A style is a way to draw the project's scenes: twelve pictures are given, others are held out. What is
compared are features of the judge's first layers, where a style is: their means and deviations per channel, centred on
what drawings without a style have. A picture is compared with the held-out one of its own caption: what is the same for
all pictures of a style would not tell a negative, bright where the drawing was dark, from a drawing.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from benchmarks.image_enlarging import sheet
from benchmarks.machine import describe, table
from ml_image import loading
from ml_image.adapters import Adapters
from ml_image.evaluate import generate, load_judge, tensor
from ml_image.models.judge import Judge
from ml_image.settings import ImageSettings
from ml_image.sources import Source, Sources
from ml_image.trainers import lora
from shared import scenes
from shared.settings import SharedSettings

SIDE, GIVEN = 128, 12
FIRST = 90_000_000
LAYERS = 6
"""Of the judge: two convolutions with their norms."""


def ink(image: Image.Image) -> Image.Image:
    two_tones = [255 if value > 110 else 0 for value in range(256)]
    return ImageOps.colorize(image.convert("L").point(two_tones), "#101018", "#f4ead0")


def sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), "#2b1608", "#f5deb3")


def negative(image: Image.Image) -> Image.Image:
    return ImageOps.invert(image)


def neon(image: Image.Image) -> Image.Image:
    edges = ImageOps.autocontrast(image.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3)))
    return ImageOps.colorize(edges, "#0a0020", "#ff4fd8")


STYLES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "ink": ink,
    "sepia": sepia,
    "negative": negative,
    "neon": neon,
}


def drawn(first: int, many: int) -> tuple[list[Image.Image], list[str]]:
    found = [scenes.sample(random.Random(first + number)) for number in range(many)]
    captions = [scenes.caption(scene, random.Random(number)) for number, scene in enumerate(found)]
    return [scenes.render(scene, SIDE, SIDE).image for scene in found], captions


@torch.no_grad()
def style_of(judge: Judge, images: Sequence[Image.Image]) -> Tensor:
    """(N, F)"""
    seen = judge.eye[:LAYERS](tensor(images) * 2 - 1)
    colors = tensor(images)
    parts = [seen.mean((2, 3)), seen.std((2, 3)), colors.mean((2, 3)), colors.std((2, 3))]
    return torch.cat(parts, 1)


def train(name: str, folder: Path, settings: ImageSettings, steps: int) -> float:
    """Seconds."""
    images, captions = drawn(FIRST, GIVEN)
    data = folder / name
    data.mkdir()
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        STYLES[name](image).save(data / f"{number}.png")
        (data / f"{number}.txt").write_text(f"{name} style, {caption}")
    begun = time.perf_counter()
    asked = {"dataset": [data], "model": "starter", "name": name, "max_steps": steps}
    args = lora.Args.model_validate({**asked, "output_dir": folder / f"run-{name}"})
    lora.main(args, settings)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--held-out", type=int, default=12)
    parser.add_argument("--sheet", type=Path, help="PNG: held out, base, own adapter, for each style")
    given = parser.parse_args()
    judge = load_judge()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        settings = ImageSettings(shared=SharedSettings(data_dir=folder / "data"))  # pyright: ignore[reportCallIssue]
        seconds = {name: train(name, folder, settings, given.steps) for name in STYLES}
        sources = Sources(settings)
        base = sources.fetch("starter")
        plain, captions = drawn(FIRST + 1000, given.held_out)
        made = {name: make(settings, base, sources.find(name), name, captions) for name in STYLES}
        bare = {name: make(settings, base, None, name, captions) for name in STYLES}
    usual = style_of(judge, plain)
    center, scale = usual.mean(0), usual.std(0).clamp(min=1e-3)

    def similarity(some: Sequence[Image.Image], wanted: Tensor) -> float:
        one, other = ((found - center) / scale for found in (style_of(judge, some), wanted))
        return float(torch.cosine_similarity(one, other, dim=1).mean())

    rows, columns = [], []
    for name, style in STYLES.items():
        targets = [style(image) for image in plain]
        columns += [targets, bare[name], made[name]]
        wanted = style_of(judge, targets)
        others = [similarity(made[other], wanted) for other in STYLES if other != name]
        own, before = similarity(made[name], wanted), similarity(bare[name], wanted)
        figures = [f"{before:.2f}", f"{own:.2f}", f"{own - before:+.2f}", f"{max(others):.2f}", f"{seconds[name]:.0f}"]
        rows.append([name, *figures])
    print(describe())
    print(table(["style", "base", "own adapter", "moved", "best other adapter", "seconds"], rows))
    if given.sheet:
        sheet(columns, given.sheet)


def make(
    settings: ImageSettings, base: Source, adapter: Source | None, name: str, captions: Sequence[str]
) -> list[Image.Image]:
    loaded = loading.load(base, settings)
    Adapters(loaded.pipe, 1).use(adapter)
    prompts = [f"{name} style, {caption}" for caption in captions]
    return generate(loaded.pipe, prompts, loaded.defaults.steps, loaded.defaults.guidance, loaded.defaults.rescale)


if __name__ == "__main__":
    main()
