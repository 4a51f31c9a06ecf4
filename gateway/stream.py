"""A provider's stream on its way through: cut into whole events, its usage read, and dropped if not asked for.

Only the events that carry usage are parsed.
"""

import re
from typing import Any

import orjson

from shared.errors import UpstreamFailed, error_from_body

DONE = b"data: [DONE]\n\n"
# Inside a JSON string the quotes would be escaped, so this is a key.
USAGE = re.compile(rb'"usage"\s*:\s*\{')
MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]*)"')
ERROR = re.compile(rb'data:\s*\{\s*"error"\s*:\s*\{')


class EventCutter:
    """Feed it bytes as they come; it gives whole events back."""

    def __init__(self, wants_usage: bool) -> None:
        self.wants_usage = wants_usage
        self.usage: dict[str, Any] | None = None
        self.model: str | None = None
        self.events: int = 0
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The events that `data` completes; empty when there are none. Raises the error that stands first."""
        if self.rest:
            data = self.rest + data
        if b"\r" in data:  # never inside JSON, which escapes it
            data = data.replace(b"\r\n", b"\n")
        cut = data.rfind(b"\n\n") + 2
        if cut < 2:
            self.rest = data
            return b""
        self.rest = data[cut:]
        block = data[:cut] if self.rest else data
        if not self.events:
            self._begin(block)
        self.events += block.count(b"\n\n")
        if b'"usage"' in block:
            block = self._read_usage(block)
        if block.endswith(DONE):
            self.ended = True
        return block

    def finish(self) -> None:
        """Raises UpstreamFailed when the stream was cut off."""
        if not self.ended:
            raise UpstreamFailed("the upstream broke off its answer")

    def _begin(self, block: bytes) -> None:
        if ERROR.match(block):
            body = orjson.loads(block.split(b"\n\n", 1)[0].partition(b":")[2])
            code = body["error"].get("code")
            raise error_from_body(code if isinstance(code, int) else 502, body)
        found = MODEL.search(block)
        self.model = found[1].decode() if found else None

    def _read_usage(self, block: bytes) -> bytes:
        """`block` without the events that only carry a usage that the client did not ask for."""
        kept: list[bytes] = []
        done = 0
        for found in USAGE.finditer(block):
            if found.start() < done:  # twice in one event
                continue
            before = block.rfind(b"\n\n", done, found.start())
            start = done if before < 0 else before + 2
            end = block.index(b"\n\n", found.start()) + 2
            kept.append(block[done:start])
            done = end
            event = block[start:end]
            if event.startswith(b"data:"):
                chunk = orjson.loads(event[5:])
                self.usage = chunk.get("usage") or self.usage
                if not self.wants_usage and not chunk.get("choices"):
                    continue
            kept.append(event)
        return b"".join(kept) + block[done:]
