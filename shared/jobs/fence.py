"""The attempt's token: in the job's folder, put there by the worker before it starts a child.

A child that was given another token has lost its job to a later attempt, and may write nothing more: no event, no
checkpoint, no result, no model. Every writer asks `check` first.
"""

import os
from pathlib import Path

from shared.errors import ServiceError

TOKEN = "attempt"


class Superseded(ServiceError):
    """Another attempt has this job."""


def put(folder: Path, token: str) -> None:
    """From here on the folder belongs to the attempt that holds `token`."""
    draft = folder / f".{TOKEN}-{token}"
    with draft.open("w") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / TOKEN)


def check(folder: Path, token: str | None) -> None:
    """Raises Superseded. A run that no worker started has no token and always may."""
    if token is not None and (folder / TOKEN).read_text() != token:
        raise Superseded(f"another attempt has taken over {folder}; this one stops without writing")
