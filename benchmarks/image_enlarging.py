"""How a model's pictures are enlarged four times: as it asks for, and by Lanczos.

    python -m benchmarks.image_enlarging [--model starter] [--scenes 24] [--sheet FILE]

Held-out scenes are drawn at the large size, reduced, and sent through the model's autoencoder; beside them stand
pictures that the model makes from captions. Goal: above a quarter of the Nyquist frequency, which is where a small
picture has nothing, half the energy of the drawings. PSNR is against the drawing. Seconds are of this process alone.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.image_starter import energy_above
from benchmarks.machine import describe, table
from ml_image import latents, loading, sizes
from ml_image.data.pictures import Drawn
from ml_image.enlarging import Enlarge
from ml_image.evaluate import FIRST, generate
from ml_image.loading import Loaded
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared import scenes

SHOWN, FACTOR = 6, 4


def psnr(image: Image.Image, wanted: Image.Image) -> float:
    one, other = (np.asarray(picture.convert("RGB")).astype(float) for picture in (image, wanted))
    return float(10 * np.log10(255**2 / ((one - other) ** 2).mean()))


@torch.inference_mode()
def through_autoencoder(loaded: Loaded, pictures: Sequence[Image.Image]) -> list[Image.Image]:
    generator = torch.Generator().manual_seed(0)
    found = torch.cat([latents.encode(loaded.pipe, picture, generator) for picture in pictures])
    return loaded.pipe.image_processor.postprocess(latents.decode(loaded.pipe, found), output_type="pil")


def seconds(enlarge: Enlarge, picture: Image.Image, side: int) -> str:
    clock, spent = time.perf_counter(), time.process_time()
    enlarge(picture, side, side)
    return f"{time.process_time() - spent:.2f} CPU, {time.perf_counter() - clock:.2f} on the clock"


def compare(
    ways: dict[str, Enlarge], drawn: Sequence[Image.Image], soft: Sequence[Image.Image], made: Sequence[Image.Image]
) -> list[list[str]]:
    side = drawn[0].width
    real = sum(map(energy_above, drawn))
    rows = []
    for name, enlarge in ways.items():
        large = [enlarge(picture, side, side) for picture in soft]
        own = [enlarge(picture, side, side) for picture in made]
        near = np.mean([psnr(one, other) for one, other in zip(large, drawn, strict=True)])
        shares = [sum(map(energy_above, some)) / real for some in (large, own)]
        times = [seconds(enlarge, made[0], times * made[0].width) for times in (FACTOR, 2 * FACTOR)]
        rows.append([name, f"{shares[0]:.2f}", f"{near:.2f}", f"{shares[1]:.2f}", *times])
    return rows


def sheet(columns: Sequence[Sequence[Image.Image]], file: Path) -> None:
    side = columns[0][0].width
    page = Image.new("RGB", (side * len(columns), side * len(columns[0])))
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            page.paste(picture, (column * side, row * side))
    page.save(file)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.image_enlarging", description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--sheet", type=Path, help="write pictures here as PNG: both ways, and the drawing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = ImageSettings()  # pyright: ignore[reportCallIssue]
    loaded = loading.load(Sources(settings).fetch(args.model), settings)
    defaults = loaded.defaults
    small = min(defaults.width, defaults.height)
    pictures = Drawn(args.scenes, small * FACTOR, FIRST, held_out=True)
    drawn = [Image.fromarray(pictures.pixels(number)) for number in range(args.scenes)]
    soft = through_autoencoder(loaded, [picture.reduce(FACTOR) for picture in drawn])
    prompts = [scenes.caption(pictures.scene(number), random.Random(number)) for number in range(args.scenes)]
    made = generate(loaded.pipe, prompts, defaults.steps, defaults.guidance, defaults.rescale)
    ways: dict[str, Callable[[Image.Image, int, int], Image.Image]] = {"Lanczos": sizes.fit, args.model: loaded.enlarge}
    large = small * FACTOR
    columns = ["energy, autoencoder", "PSNR, dB", "energy, own pictures", f"{large} px, s", f"{2 * large} px, s"]
    print(describe())
    print(table(["", *columns], compare(ways, drawn, soft, made)))
    if args.sheet:
        some = [[way(picture, large, large) for picture in made[:SHOWN]] for way in ways.values()]
        sheet([*some, drawn[:SHOWN]], args.sheet)


if __name__ == "__main__":
    main()
