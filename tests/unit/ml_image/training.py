"""What the trainers' tests share: settings, a small captioned folder, and a quick model from scratch."""

import json
import random
from pathlib import Path
from typing import Any

from ml_image.settings import ImageSettings
from ml_image.trainers import scratch
from shared import scenes
from tests.unit.services import settings_in

QUICK: dict[str, Any] = {"preset": "tiny", "scenes": 12, "autoencoder_steps": 2, "batch_size": 4, "log_steps": 1}


def settings(folder: Path) -> ImageSettings:
    return settings_in(folder / "data", ImageSettings)


def write_folder(folder: Path, many: int, size: tuple[int, int] = (40, 32)) -> Path:
    """Pictures with metadata.jsonl."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(many):
        scenes.render(scenes.sample(random.Random(number)), *size).image.save(folder / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "text": f"picture {number}"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def train_scratch(tmp_path: Path, **fields: Any) -> str:
    args = scratch.Args(**{"dataset": [Path("scenes")], "name": "small", "max_steps": 3, **QUICK, **fields})
    return scratch.main(args, settings(tmp_path))


def losses(folder: Path) -> list[float]:
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]
