"""python -m ml_image.trainers.judging FOLDER: trains the network that judges pictures, on drawn scenes alone.

Cross-entropy for each attribute that a scene has, and which caption belongs to which picture within a batch
(https://arxiv.org/abs/2103.00020). What it is right about on scenes that it never saw is written beside it.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ml_image.data.answers import correct, slices
from ml_image.data.attributes import ATTRIBUTES, truth
from ml_image.data.latents import to_tensor
from ml_image.data.pictures import Drawn, Pictures
from ml_image.models.judge import SIDE, Judge, words
from shared import scenes

BATCH, RATE, CONTRAST = 64, 2e-3, 0.3
UNSEEN, CHECKED = 50_000_000, 512
"""Numbers of scenes that are in no training set, and how many of them are looked at."""


def labels(scene: scenes.Scene) -> Tensor:
    """(A,) with 1 at what is true (1/2 at each of a pair), -1 at all values of an attribute that it has not."""
    found = torch.full((sum(len(attribute.values) for attribute in ATTRIBUTES),), -1.0)
    true = truth(scene)
    for attribute, part in slices():
        if attribute.key in true:
            values = true[attribute.key]
            found[part] = torch.tensor([float(value in values) / len(values) for value in attribute.values])
    return found


def loss(judge: Judge, pictures: Tensor, wanted: Tensor, texts: Tensor) -> Tensor:
    features = judge.see(pictures)
    said = judge.answers(features)
    parts = []
    for _, part in slices():
        has = wanted[:, part].min(1).values >= 0
        if has.any():
            parts.append(F.cross_entropy(said[has, part], wanted[has, part], reduction="sum") / len(pictures))
    near = judge.embed_pictures(features) @ judge.embed_texts(texts).T * judge.warmth.exp()
    own = torch.arange(len(near))
    contrast = F.cross_entropy(near, own) + F.cross_entropy(near.T, own)
    return torch.stack(parts).sum() + CONTRAST * contrast


def batches(pictures: Pictures, seed: int) -> Iterator[np.ndarray]:
    for epoch in range(1_000_000):
        order = np.random.default_rng((seed, epoch)).permutation(len(pictures))
        yield from (order[at : at + BATCH] for at in range(0, len(order) - BATCH + 1, BATCH))


def train(pictures: Drawn, steps: int, seed: int = 0) -> Judge:
    torch.manual_seed(seed)
    judge = Judge(len(labels(pictures.scene(0)))).train()
    optimiser = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    begun = time.monotonic()
    for step, index in zip(range(steps), batches(pictures, seed), strict=False):
        drawn = to_tensor(np.stack([pictures.pixels(int(number)) for number in index]))
        found = [pictures.scene(int(number)) for number in index]
        told = [scenes.caption(scene, random.Random(seed + step)) for scene in found]
        value = loss(judge, blurred(drawn), torch.stack([labels(scene) for scene in found]), words(told))
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}/{steps} · loss {value.item():.3f} · {time.monotonic() - begun:.0f} s", flush=True)
    return judge.eval()


def blurred(pictures: Tensor) -> Tensor:
    """Half of them a little out of focus or noisy, so that what is judged need not be as crisp as a drawing."""
    soft = F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    choose = torch.rand(len(pictures), 1, 1, 1)
    made = torch.where(choose < 0.4, soft, pictures)
    return torch.where(choose > 0.7, made + 0.03 * torch.randn_like(made), made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--scenes", type=int, default=30_000)
    args = parser.parse_args()
    judge = train(Drawn(args.scenes, SIDE), args.steps)
    write(judge, args.folder)


def write(judge: Judge, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.contiguous() for name, value in judge.half().state_dict().items()}, folder / "model.safetensors"
    )
    judge.float()
    scores = {}
    for part, held_out in (("unseen", False), ("held out combinations", True)):
        drawn = Drawn(CHECKED, SIDE, UNSEEN, held_out)
        pictures = to_tensor(np.stack([drawn.pixels(number) for number in range(CHECKED)]))
        with torch.no_grad():
            said = judge.answers(judge.see(pictures))
        scores[part] = correct(said, [truth(drawn.scene(number)) for number in range(CHECKED)])
    (folder / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    print(json.dumps({part: value["all"] for part, value in scores.items()}))


if __name__ == "__main__":
    main()
