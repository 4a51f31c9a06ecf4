"""What gateway and child say to each other over pipes: a line of JSON, then as many raw bytes as it announces.

No pickle: a picture that takes over the child must not reach the gateway through what the child answers.
"""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

LINE_LIMIT_BYTES = 64 << 10


def header(told: dict[str, Any], blobs: Sequence[bytes]) -> bytes:
    return json.dumps({**told, "sizes": [len(blob) for blob in blobs]}).encode() + b"\n"


def read(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next message, in the child; None when the gateway has closed its end."""
    line = stream.readline(LINE_LIMIT_BYTES)
    if not line:
        return None
    told: dict[str, Any] = json.loads(line)
    return told, [stream.read(size) for size in told.pop("sizes")]


def write(stream: BinaryIO, told: dict[str, Any], *blobs: bytes) -> None:
    for part in (header(told, blobs), *blobs):
        stream.write(part)
    stream.flush()
