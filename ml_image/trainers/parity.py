"""Before a model is published: loaded as the service loads it, it sees in a fixed batch what the trainer saw.

Finds weights that were lost, mixed up or rounded away on their way to disk, and an adapter's wrong scale.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_image.data.latents import LatentRows
from ml_image.trainers.denoising import DenoisingLoss
from shared.errors import OutOfMemory, ServiceError

PICTURES = 4
FINE, COARSE = 2e-3, 5e-2
"""Of the mean squared error: weights saved in half precision, and a base in less than float32."""


class Unfaithful(ServiceError):
    """The saved model is not the trained one."""

    default_code = "parity_failed"


def parity(
    loss: DenoisingLoss,
    rows: LatentRows,
    again: Callable[[Path], DenoisingLoss],
    card: dict[str, Any],
    coarse: bool = False,
) -> Callable[[Path], None]:
    """`compared` for what a diffusion model learns. `again` makes the loss of what is in a folder, `coarse` if it was
    trained in less than float32."""
    return compared(lambda: look(loss, rows), lambda folder: look(again(folder), rows), card, coarse)


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
    device = next(loss.asked.parameters()).device
    found = []
    for place in range(min(PICTURES, len(rows))):
        batch = rows.batch(np.array([place]))
        latents = next(value for name, value in batch.items() if name.startswith("latents_")).to(device)
        ids = next(value for name, value in batch.items() if name.startswith("ids_"))[:, 0].to(device)
        level = torch.tensor([(place + 1) * loss.noising.levels // (PICTURES + 1)], device=device)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(place)).to(device)
        found.append(float(loss.errors(latents, ids, level, noise)))
    loss.train(was_training)
    return float(np.mean(found))
