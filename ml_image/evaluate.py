"""python -m ml_image.evaluate --model NAME [--against NAME] [options]: scores on drawn scenes, and a sheet of pictures.

Prompts are captions of combinations that no training set has. A small network that was trained on drawings alone
(ml_image/judge) says which of the named attributes are there; beside the models stand what it makes of the drawings
themselves, the drawing with the nearest caption among trained ones, and the same architecture with random weights.
Exit status: 0 done, 2 bad arguments.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file
from torch import Tensor

from ml_image import loading
from ml_image.adapters import Adapters
from ml_image.data.answers import correct
from ml_image.data.attributes import ATTRIBUTES, named
from ml_image.data.latents import to_tensor
from ml_image.data.pictures import Drawn
from ml_image.models.judge import SIDE, Judge, words
from ml_image.settings import ImageSettings
from ml_image.sources import Sources
from shared import scenes
from shared.command import parse
from shared.errors import InvalidRequest, ServiceError

JUDGE = Path(__file__).parent / "judge"
FIRST = 70_000_000
"""Number of the first scene that is asked for."""
AT_ONCE, SHOWN = 20, 24
RETRIEVED_FROM = 10_000
"""Trained scenes whose captions are searched."""


class Args(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str = Field("starter", description="starter, a published or short name, a hub repo, a folder")
    against: str | None = Field(None, description="a second model, side by side with the first")
    prompts: int = Field(200, ge=2, description="how many pictures")
    steps: int | None = Field(None, gt=0, description="of denoising; default: the model's own")
    guidance: float | None = Field(None, ge=0, description="how much the prompt counts; default: the model's own")
    trained: bool = Field(False, description="ask for combinations that training sets have, instead of held-out ones")
    baselines: bool = Field(True, description="drawings, nearest captions and random weights beside the models")
    output: Path | None = Field(None, description="write the report here, as JSON")
    sheet: Path | None = Field(None, description="write a sheet of pictures here, as PNG")


def load_judge(folder: Path = JUDGE) -> Judge:
    judge = Judge(sum(len(attribute.values) for attribute in ATTRIBUTES))
    judge.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return judge.eval()


def frechet(one: Tensor, other: Tensor) -> float:
    """Between normal distributions with the moments of features (N, F) and (M, F): Heusel et al.
    (https://arxiv.org/abs/1706.08500), on the judge's features instead of Inception's."""
    one, other = one.double(), other.double()
    mean = (one.mean(0) - other.mean(0)).pow(2).sum()
    first, second = torch.cov(one.T), torch.cov(other.T)
    values, vectors = torch.linalg.eigh(first)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    crossed = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float(mean + first.trace() + second.trace() - 2 * crossed)


@torch.no_grad()
def judged(
    judge: Judge, pictures: Tensor, asked: Sequence[scenes.Scene], prompts: Sequence[str], real: Tensor
) -> dict[str, Any]:
    """`pictures` and `real`, drawings of other scenes of the kind, are (N, 3, H, W) in [0, 1]."""
    features = judge.see(pictures)
    wanted = [named(scene, prompt) for scene, prompt in zip(asked, prompts, strict=True)]
    near = judge.embed_pictures(features) * judge.embed_texts(words(prompts))
    return {
        "attributes": correct(judge.answers(features), wanted),
        "similarity": round(float(near.sum(1).mean()), 4),
        "frechet": round(frechet(features, judge.see(real)), 2),
    }


def generate(pipe: Any, prompts: Sequence[str], steps: int, guidance: float, rescale: float) -> list[Image.Image]:
    """One picture per prompt at the model's own size, each from a seed that is its place."""
    made: list[Image.Image] = []
    for start in range(0, len(prompts), AT_ONCE):
        some = list(prompts[start : start + AT_ONCE])
        made += pipe(
            some,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(start + place) for place in range(len(some))],
            **({"guidance_rescale": rescale} if rescale else {}),
        ).images
    return made


def tensor(images: Sequence[Image.Image]) -> Tensor:
    return to_tensor(np.stack([np.asarray(image.convert("RGB").resize((SIDE, SIDE))) for image in images]))


def nearest(prompts: Sequence[str]) -> list[Image.Image]:
    """For each prompt the drawing of a trained scene whose caption shares most words with it."""
    trained = Drawn(RETRIEVED_FROM, SIDE)
    said = [set(trained.captions(number)[0].split()) for number in range(RETRIEVED_FROM)]
    found = []
    for prompt in prompts:
        own = set(prompt.split())
        best = max(range(RETRIEVED_FROM), key=lambda number: len(own & said[number]) / len(own | said[number]))
        found.append(Image.fromarray(trained.pixels(best)))
    return found


def sheet(columns: Sequence[tuple[str, Sequence[Image.Image]]], prompts: Sequence[str], file: Path) -> None:
    """Rows of prompts, a column per side."""
    side, text = SIDE, 330
    page = Image.new("RGB", (text + (side + 4) * len(columns), 16 + (side + 4) * len(prompts)), "white")
    draw = ImageDraw.Draw(page)
    for column, (name, images) in enumerate(columns):
        draw.text((text + column * (side + 4), 2), name[:20], "black")
        for row, image in enumerate(images[: len(prompts)]):
            page.paste(image.convert("RGB").resize((side, side)), (text + column * (side + 4), 16 + row * (side + 4)))
    for row, prompt in enumerate(prompts):
        lines = [prompt[at : at + 50] for at in range(0, len(prompt), 50)]
        draw.multiline_text((4, 20 + row * (side + 4)), "\n".join(lines), "black")
    page.save(file)


def sides(args: Args, settings: ImageSettings, prompts: list[str]) -> dict[str, Callable[[], list[Image.Image]]]:
    """Name -> what makes its pictures."""
    sources = Sources(settings)

    def of(name: str, random_weights: bool = False) -> list[Image.Image]:
        source = sources.fetch(name)
        base = source if source.base is None else sources.find(source.base)
        loaded = loading.load(base, settings)
        if random_weights:
            torch.manual_seed(0)
            loaded.pipe.unet = type(loaded.pipe.unet).from_config(loaded.pipe.unet.config).eval()
        Adapters(loaded.pipe, 1).use(source if source.base else None)
        guidance = loaded.defaults.guidance if args.guidance is None else args.guidance
        steps = args.steps or loaded.defaults.steps
        return generate(loaded.pipe, prompts, steps, guidance, loaded.defaults.rescale)

    found: dict[str, Callable[[], list[Image.Image]]] = {
        name: partial(of, name) for name in [args.model, *([args.against] if args.against else [])]
    }
    if args.baselines:
        found["nearest caption"] = partial(nearest, prompts)
        found["random weights"] = partial(of, args.model, random_weights=True)
    return found


def evaluate(args: Args, settings: ImageSettings) -> dict[str, Any]:
    """The report. Raises ServiceErrors: no such model, no judge."""
    if not (JUDGE / "model.safetensors").is_file():
        raise InvalidRequest(f"there is no judge in {JUDGE}: python -m ml_image.trainers.judging {JUDGE}")
    judge = load_judge()
    drawn = Drawn(args.prompts, SIDE, FIRST, held_out=not args.trained)
    asked = [drawn.scene(number) for number in range(args.prompts)]
    prompts = [scenes.caption(scene, random.Random(place)) for place, scene in enumerate(asked)]
    real = tensor([Image.fromarray(drawn.pixels(number)) for number in range(args.prompts)])
    others = Drawn(args.prompts, SIDE, FIRST + args.prompts, held_out=not args.trained)
    other = tensor([Image.fromarray(others.pixels(number)) for number in range(args.prompts)])
    report: dict[str, Any] = {"prompts": args.prompts, "held_out": not args.trained, "sides": {}}
    report["sides"]["drawings"] = judged(judge, real, asked, prompts, other)
    columns: list[tuple[str, list[Image.Image]]] = []
    for name, make in sides(args, settings, prompts).items():
        begun = time.monotonic()
        images = make()
        columns.append((name, images))
        seconds = round(time.monotonic() - begun, 1)
        report["sides"][name] = judged(judge, tensor(images), asked, prompts, other) | {"seconds": seconds}
    report["judge"] = json.loads((JUDGE / "scores.json").read_text())
    if args.sheet:
        drawings = [Image.fromarray(drawn.pixels(number)) for number in range(min(SHOWN, args.prompts))]
        sheet([("drawing", drawings), *columns], prompts[:SHOWN], args.sheet)
    return report


def main(argv: list[str]) -> int:
    args = parse(Args, argv, "python -m ml_image.evaluate", __doc__ or "")
    try:
        report = evaluate(args, ImageSettings())  # pyright: ignore[reportCallIssue]
    except ServiceError as error:
        option = f"--{error.param.replace('_', '-')}: " if error.param else ""
        print(f"{option}{error}", file=sys.stderr)
        return 2
    if args.output:
        args.output.write_text(json.dumps(report, indent=2) + "\n")
    for name, scores in report["sides"].items():
        whole = {key: value["all"] if key == "attributes" else value for key, value in scores.items()}
        print(json.dumps({"side": name, **whole}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
