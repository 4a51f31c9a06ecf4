"""python -m ml_tiny.train tiny …: a model of 400 weights in the loop, checkpoints and publishing of every real trainer.

What a real one adds is its imports, a third of a minute on a busy core. Each step rests a while, to be killed in.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.packing import pack
from shared.training.samples import Sample
from shared.training.settings import TrainingArgs
from shared.training.signals import Interrupted

VOCAB = 16
REST_S = 0.05


class Tiny(nn.Module):
    """Next token from this token; dropout makes a run depend on the random state too."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Embedding(VOCAB, 12), nn.Dropout(0.2), nn.Linear(12, VOCAB))

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        time.sleep(REST_S)
        logits = self.layers(input_ids).flatten(0, 1)
        return F.cross_entropy(logits, targets.flatten(), ignore_index=-100, reduction="sum")


def parse(options: list[str]) -> TrainingArgs:
    given: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.removeprefix("--").partition("=")
        given[name.removeprefix("no-").replace("-", "_")] = value if equals else not name.startswith("no-")
    return TrainingArgs(**{**given, "dataset": [Path(given["dataset"])]})


def main(options: list[str]) -> int:
    args, data_dir = parse(options), Path(os.environ["DATA_DIR"])
    assert args.name is not None
    folder = prepare_folder(args, data_dir, args.name)
    torch.manual_seed(args.seed)
    starts = np.random.default_rng(1).integers(0, VOCAB, 40)
    rows = pack([Sample((start + np.arange(8)) % VOCAB, np.ones(8, dtype=bool)) for start in starts], 16)
    model = Tiny()
    try:
        state = Run(args, model, rows, pack([], 16), folder).start()
    except Interrupted as stop:
        return stop.status

    def save(target: Path) -> None:
        target.mkdir()
        save_file(dict(model.state_dict()), target / "model.safetensors")

    finish(args, data_dir, args.name, folder, state, save, {"service": "tiny"})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
