"""Several processes that train one model (`accelerate launch`): who goes first, who writes, what all agree on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

PATIENCE = timedelta(hours=12)
"""How long the others wait while the first one tokenises the data."""


def processes() -> PartialState:
    return PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return processes().is_main_process


@contextmanager
def main_first() -> Iterator[None]:
    """The main process runs the block alone; then the others do, who find what it made."""
    with processes().main_process_first():
        yield


def wait() -> None:
    processes().wait_for_everyone()


def largest(*values: float) -> list[float]:
    """Each value's maximum over all processes, so that no two disagree about the time or a signal."""
    state = processes()
    if state.num_processes == 1:
        return list(values)
    shared = torch.tensor(values, dtype=torch.float64, device=state.device)
    torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
    return shared.tolist()


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum over all processes."""
    if processes().num_processes > 1:
        torch.distributed.all_reduce(value)
    return value
