"""The events of an image stream, one by one: each may hold a picture of megabytes."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import orjson

from shared.errors import UpstreamFailed, error_from_body

EVENT_LIMIT_BYTES = 64 << 20
END = re.compile(rb"\r?\n\r?\n")
LONGEST_END = 4


async def read_events(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[dict[str, Any], None]:
    """What `pieces`, cut anywhere, say; comments and [DONE] are passed over. Raises the error that stands in them."""
    rest = bytearray()
    async with aclosing(pieces):
        async for piece in pieces:
            looked = max(0, len(rest) - LONGEST_END)
            rest += piece
            while end := END.search(rest, looked):
                block, looked = bytes(rest[: end.start()]), 0
                del rest[: end.end()]
                if (event := _read(block)) is not None:
                    yield event
            if len(rest) > EVENT_LIMIT_BYTES:
                raise UpstreamFailed(f"an event of the upstream has more than {EVENT_LIMIT_BYTES} bytes")


def write_event(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


def _read(block: bytes) -> dict[str, Any] | None:
    data = b"\n".join(line[5:].strip() for line in block.splitlines() if line.startswith(b"data:"))
    if not data or data == b"[DONE]":
        return None
    try:
        event: object = orjson.loads(data)
    except ValueError as error:
        raise UpstreamFailed("the upstream's stream is not what OpenAI's would be") from error
    known = cast(dict[str, Any], event) if isinstance(event, dict) else {}
    if isinstance(failed := known.get("error"), dict):
        code = cast(dict[str, Any], failed).get("code")
        raise error_from_body(code if isinstance(code, int) else 502, known)
    if not isinstance(known.get("type"), str):
        raise UpstreamFailed("the upstream's stream is not what OpenAI's would be")
    return known
