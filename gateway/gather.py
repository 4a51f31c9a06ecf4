"""A chat stream's events put together again: the completion that the same request would get without `stream`."""

from typing import Any, cast

import orjson

from gateway.stream import DONE
from shared.errors import UpstreamFailed

Json = dict[str, Any]
GROWING = frozenset(("content", "refusal", "reasoning_content", "arguments", "input", "data", "transcript"))
"""Texts that come in pieces; any other field comes whole."""
OF_THE_ANSWER = ("id", "created", "model", "system_fingerprint", "service_tier", "usage")


def gather(events: bytes) -> Json:
    """Whole events up to [DONE] -> OpenAI's chat.completion. Raises UpstreamFailed."""
    whole: Json = {"object": "chat.completion"}
    choices: dict[int, Json] = {}
    try:
        for event in events.removesuffix(DONE).split(b"\n\n"):
            if not event.startswith(b"data:"):
                continue
            chunk = orjson.loads(event[5:])
            whole |= {name: chunk[name] for name in OF_THE_ANSWER if chunk.get(name) is not None}
            pieces: list[Json] = chunk.get("choices") or []
            for piece in pieces:
                _add_choice(choices, piece)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UpstreamFailed("the upstream's stream is not what OpenAI's would be") from error
    return whole | {"choices": [choices[index] for index in sorted(choices)]}


def _add_choice(choices: dict[int, Json], piece: Json) -> None:
    index = piece["index"]
    if "text" in piece:  # a completion, not a chat
        there = choices.setdefault(index, {"index": index, "text": "", "logprobs": None, "finish_reason": None})
        there["text"] += piece["text"]
        there["finish_reason"] = piece.get("finish_reason") or there["finish_reason"]
        return
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    choice = choices.setdefault(index, {"index": index, "message": message, "logprobs": None, "finish_reason": None})
    _merge(choice["message"], piece.get("delta") or {})
    choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
    told: dict[str, list[Any] | None] = piece.get("logprobs") or {}
    for kind, tokens in told.items():
        logprobs: Json = choice["logprobs"] or {"content": None, "refusal": None}
        choice["logprobs"] = logprobs
        if tokens:
            logprobs[kind] = (logprobs.get(kind) or []) + tokens


def _merge(into: Json, delta: Json) -> None:
    for name, value in delta.items():
        there: Any = into.get(name)
        if value is None:
            into.setdefault(name, None)
        elif name == "tool_calls":
            calls = cast(list[Json], into.setdefault(name, []))
            for call in cast(list[Json], value):
                index: int = call["index"]
                if index >= len(calls):
                    calls.append({})
                _merge(calls[index], {field: call[field] for field in call if field != "index"})
        elif name in GROWING and isinstance(there, str):
            into[name] = there + value
        elif isinstance(there, dict) and isinstance(value, dict):
            _merge(cast(Json, there), cast(Json, value))
        else:
            into[name] = value
