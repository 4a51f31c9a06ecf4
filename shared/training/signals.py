"""Ctrl-C and SIGTERM, for a loop to look at between its steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


class Interrupted(Exception):
    """Stopped by a signal after a checkpoint was written; a shell expects exit status 128 + `signal`."""

    def __init__(self, number: int, checkpoint: Path) -> None:
        super().__init__(f"stopped at {checkpoint}")
        self.status = 128 + number
        self.checkpoint = checkpoint


@contextmanager
def signals() -> Iterator[list[int]]:
    """Fills when Ctrl-C or SIGTERM come; a second Ctrl-C breaks off."""
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
