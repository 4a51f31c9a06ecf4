"""A long chat made short: a summary by the model, and of the user's own words the newest, in one item that goes on.

The item's `encrypted_content` is opaque, not secret: it holds the caller's own chat, so that nothing is kept here.
"""

import base64
import binascii
from typing import Any, cast

import orjson

from shared.errors import InvalidRequest

Json = dict[str, Any]
ASK = (
    "Summarise this conversation so that it can go on without its text. Keep what the user wants, names, numbers, "
    "decisions, results of tools, and what is still open. Answer with the summary alone."
)
SUMMARY_TOKENS = 512
QUOTED_SHARE = 4
"""One part in so many of the chat's characters may be kept word for word; the last question always is."""


def asking(messages: list[Json]) -> list[Json]:
    """The chat that asks for the summary of `messages`."""
    return [*messages, {"role": "user", "content": ASK}]


def pack(messages: list[Json], summary: str) -> str:
    """What `unpack` reads again."""
    budget = sum(len(_words(message)) for message in messages) // QUOTED_SHARE
    quoted: list[Json] = []
    for message in reversed([message for message in messages if message["role"] == "user"]):
        budget -= len(_words(message))
        if quoted and budget < 0:
            break
        quoted.insert(0, {"role": "user", "content": message["content"]})
    told = {"role": "assistant", "content": f"Summary of the conversation so far: {summary}"}
    return base64.urlsafe_b64encode(orjson.dumps([*quoted, told])).decode()


def unpack(content: str, where: str) -> list[Json]:
    """The chat messages of a compaction. Raises InvalidRequest on `where`."""
    try:
        found: Any = orjson.loads(base64.b64decode(content, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        found = None
    messages = cast(list[Any], found) if isinstance(found, list) else []
    if not messages or not all(_is_message(message) for message in messages):
        raise InvalidRequest(f"{where} is not of a compaction that was made here", param=where)
    return messages


def _is_message(found: Any) -> bool:
    message = cast(Json, found) if isinstance(found, dict) else {}
    said = isinstance(message.get("content"), str | list) and bool(message["content"])
    return said and set(message) == {"role", "content"} and message["role"] in ("user", "assistant")


def _words(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else orjson.dumps(content).decode()
