"""What a model's text encoders say of each caption, asked once and kept on disk: they are large, and do not learn."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml_image.catalog import family_of
from ml_image.data.pictures import Pictures
from ml_image.families.family import Conditions, Wanted

GUIDED = 2.0
"""Any guidance above 1: then a family also says what it tells where nothing is asked."""
UNGUIDED = 1.0
"""What a network that was distilled to follow a number is told: at 1 it shows what it was shown."""
FILE = "said-{}.npy"


@torch.no_grad()
def prepare(pictures: Pictures, pipe: Any, folder: Path) -> np.ndarray:
    """Writes them to `folder` for `Said`; (N, K + 1, 1) int32, the numbers of each picture's captions, and of none."""
    numbers: dict[tuple[str, tuple[int, int]], int] = {}
    rows = []
    for picture in range(len(pictures)):
        size = pictures.size(picture)
        asked = [(caption, size) for caption in [*pictures.captions(picture), ""]]
        rows.append([numbers.setdefault(each, len(numbers)) for each in asked])
    out: dict[str, np.memmap[Any, Any]] = {}
    for (caption, size), number in numbers.items():
        for name, value in _ask(pipe, caption, size).items():
            if name not in out:
                shape = (len(numbers), *value.shape[1:])
                out[name] = np.lib.format.open_memmap(folder / FILE.format(name), "w+", np.float16, shape)
            out[name][number] = value[0].half().cpu().numpy()
    for each in out.values():
        each.flush()
    return np.array(rows, np.int32)[:, :, None]


def _ask(pipe: Any, caption: str, size: tuple[int, int]) -> Conditions:
    family = family_of(pipe)
    guidance = GUIDED if family.negative and not caption else UNGUIDED
    return family.encode(pipe, Wanted(caption, "", guidance, *size))[0]


class Said(nn.Module):
    """Numbers (B, 1) -> what `prepare` left in `folder`, in float32."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        head, tail = FILE.split("{}")
        files = sorted(folder.glob(FILE.format("*")))
        self.kept = {file.name.removeprefix(head).removesuffix(tail): np.load(file, mmap_mode="r") for file in files}

    def forward(self, numbers: Tensor) -> dict[str, Tensor]:
        rows = numbers[:, 0].cpu().numpy()
        return {
            name: torch.from_numpy(kept[rows].astype(np.float32)).to(numbers.device) for name, kept in self.kept.items()
        }
