"""Pictures as the U-Net sees them, encoded once and kept on disk: a run reads 2 KB per picture and step, not a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ml_image.data import buckets
from ml_image.data.pictures import Pictures

Encode = Callable[[Tensor], Tensor]
"""(N, 3, H, W) in [0, 1] -> (N, C, h, w), scaled as the U-Net takes them."""
AT_ONCE = 16
IDS, DONE = "captions.npy", "whole"


@dataclass(frozen=True)
class LatentRows:
    """N pictures in B shapes. A batch holds a pair of tensors per shape that is in it: `latents_HxW`, `ids_HxW`."""

    latents: list[np.ndarray]
    """Per shape (n, C, h, w) float16."""
    places: np.ndarray
    """(N, 2): shape, and row in it."""
    ids: np.ndarray
    """(N, K + 1, T): K captions of T tokens or numbers, then what is told where nothing is asked."""

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, index: np.ndarray) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for shape in np.unique(self.places[index, 0]):
            own = index[self.places[index, 0] == shape]
            latents = self.latents[shape][self.places[own, 1]]
            name = "x".join(map(str, latents.shape[2:]))
            found[f"latents_{name}"] = torch.from_numpy(latents.astype(np.float32))
            found[f"ids_{name}"] = torch.from_numpy(self.ids[own].astype(np.int64))
        return found

    def loss_tokens(self, index: np.ndarray) -> int:
        return len(index)

    def tokens(self, index: np.ndarray) -> int:
        return len(index)

    def subset(self, index: np.ndarray) -> "LatentRows":
        return LatentRows(self.latents, self.places[index], self.ids[index])


def prepare(pictures: Pictures, encode: Encode, number: Callable[[], np.ndarray], folder: Path) -> LatentRows:
    """Encode all of them into `folder`, or take what an earlier attempt left there; `number` makes the ids."""
    shapes = list(buckets.grouped([pictures.size(number) for number in range(len(pictures))]))
    places = np.zeros((len(pictures), 2), np.int64)
    for shape, (_, numbers) in enumerate(shapes):
        places[numbers, 0], places[numbers, 1] = shape, np.arange(len(numbers))
    if not (folder / DONE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for (width, height), numbers in shapes:
            _encode(pictures, encode, numbers, folder / f"{width}x{height}.npy")
        np.save(folder / IDS, number())
        (folder / DONE).touch()
    latents = [np.load(folder / f"{width}x{height}.npy", mmap_mode="r") for (width, height), _ in shapes]
    return LatentRows(latents, places, np.load(folder / IDS, mmap_mode="r"))


def _encode(pictures: Pictures, encode: Encode, numbers: np.ndarray, file: Path) -> None:
    out: np.ndarray | None = None
    for start in range(0, len(numbers), AT_ONCE):
        pixels = np.stack([pictures.pixels(int(number)) for number in numbers[start : start + AT_ONCE]])
        made = encode(to_tensor(pixels)).half().cpu().numpy()
        if out is None:
            out = np.lib.format.open_memmap(file, "w+", np.float16, (len(numbers), *made.shape[1:]))
        out[start : start + len(made)] = made
    assert out is not None
    out.flush()


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
