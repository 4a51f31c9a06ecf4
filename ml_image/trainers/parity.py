"""Before a model is published: loaded as the service loads it, it sees in a fixed batch what the trainer saw.

Finds weights that were lost, mixed up or rounded away on their way to disk, and an adapter's wrong scale.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_image import loading
from ml_image.adapters import Adapters
from ml_image.data.latents import LatentRows
from ml_image.settings import ImageSettings
from ml_image.sources import Source
from ml_image.trainers.denoising import DenoisingLoss
from shared.errors import OutOfMemory, ServiceError

PICTURES = 4
FINE, COARSE = 2e-3, 5e-2
"""Of the mean squared error: weights saved in half precision, and a base in 4 bits."""


class Unfaithful(ServiceError):
    """The saved model is not the trained one."""

    default_code = "parity_failed"


def parity(
    loss: DenoisingLoss,
    rows: LatentRows,
    settings: ImageSettings,
    card: dict[str, Any],
    base: Source | None = None,
    coarse: bool = False,
) -> Callable[[Path], None]:
    """`compared` for what a diffusion model learns. `base` is an adapter's, `coarse` if it was in 4 bits."""
    return compared(lambda: look(loss, rows), lambda folder: ask(folder, base, loss, rows, settings), card, coarse)


def compared(
    trained_error: Callable[[], float],
    served_error: Callable[[Path], float],
    card: dict[str, Any],
    coarse: bool = False,
) -> Callable[[Path], None]:
    """What `finish` is to check: the error of the trained model, and of the folder that it was saved to; both go into
    `card`.

    The check raises Unfaithful.
    """

    def check(folder: Path) -> None:
        trained = trained_error()
        try:
            served = served_error(folder)
        except OutOfMemory as error:
            card["parity"] = {"checked": False, "reason": str(error)}
            return
        card["parity"] = {"checked": True, "trained": round(trained, 5), "served": round(served, 5)}
        tolerance = COARSE if coarse else FINE
        if not abs(trained - served) <= tolerance * max(1.0, trained):
            raise Unfaithful(
                f"the saved model is not the trained one: error {trained:.5f} in training, {served:.5f} as loaded;"
                " not published"
            )

    return check


@torch.no_grad()
def look(loss: DenoisingLoss, rows: LatentRows) -> float:
    """The mean error on the first pictures, at steps from all over the schedule."""
    was_training = loss.training
    loss.eval()
    device = next(loss.unet.parameters()).device
    found = []
    for place in range(min(PICTURES, len(rows))):
        batch = rows.batch(np.array([place]))
        latents = next(value for name, value in batch.items() if name.startswith("latents_")).to(device)
        ids = next(value for name, value in batch.items() if name.startswith("ids_"))[:, 0].to(device)
        step = torch.tensor([(place + 1) * len(loss.kept) // (PICTURES + 1)], device=device)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(place)).to(device)
        found.append(float(loss.errors(latents, ids, step, noise)))
    loss.train(was_training)
    return float(np.mean(found))


def ask(folder: Path, base: Source | None, loss: DenoisingLoss, rows: LatentRows, settings: ImageSettings) -> float:
    made = Source("checked", folder, 0, base.name if base else None)
    pipe = loading.load(base or made, settings).pipe
    if base is not None:
        Adapters(pipe, 1).use(made)
    again = DenoisingLoss(pipe.unet, pipe.text_encoder, pipe.scheduler, loss.empty.tolist(), 0.0)
    return look(again.to(next(pipe.unet.parameters()).device), rows)
