"""OpenAI's shapes: errors, headers, usage, stream events, model objects."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CREATED = 1_730_000_000
BOTH = """
    frequency_penalty logit_bias logprobs max_tokens model n presence_penalty seed stop stream
    stream_options temperature top_p user
"""
COMPLETIONS_ONLY = """
    best_of echo prompt suffix
"""
CHAT_ONLY = """
    audio function_call functions max_completion_tokens messages metadata modalities moderation
    parallel_tool_calls prediction prompt_cache_key prompt_cache_options prompt_cache_retention
    reasoning_effort response_format safety_identifier service_tier store tool_choice tools
    top_logprobs verbosity web_search_options
"""
KNOWN_TO_COMPLETIONS = frozenset((BOTH + COMPLETIONS_ONLY).split())
KNOWN_TO_CHAT = frozenset((BOTH + CHAT_ONLY).split())
"""What openai.types lists; written out, because importing the SDK takes seconds."""


class Refusal(Exception):
    def __init__(self, status: int, kind: str, message: str, code: str | None = None, param: str | None = None) -> None:
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class OpenAIHeaders:
    """x-request-id, openai-processing-ms and openai-version on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                spent = str(int((time.perf_counter() - began) * 1000)).encode()
                message["headers"] += [
                    (b"x-request-id", f"req_{uuid.uuid4().hex}".encode()),
                    (b"openai-processing-ms", spent),
                    (b"openai-version", b"2020-10-01"),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def limit(text: str, body: dict[str, Any]) -> tuple[list[str], str]:
    """The answer's tokens (a word with the space before it is one) and why it ended."""
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop)[0]
    tokens = [word if number == 0 else f" {word}" for number, word in enumerate(text.split(" "))]
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    return (tokens[:most], "length") if most and len(tokens) > most else (tokens, "stop")


def usage_of(prompt: Any, tokens: int) -> dict[str, Any]:
    asked = len(json.dumps(prompt).split())
    return {
        "prompt_tokens": asked,
        "completion_tokens": tokens,
        "total_tokens": asked + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_deltas(drafts: list[tuple[list[str], str]], calls: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    def choice(number: int, delta: dict[str, Any], end: str | None = None) -> dict[str, Any]:
        return {"index": number, "delta": delta, "logprobs": None, "finish_reason": end}

    if calls:
        first = {**calls[0], "index": 0, "function": {**calls[0]["function"], "arguments": ""}}
        yield choice(0, {"role": "assistant", "content": None, "refusal": None, "tool_calls": [first]})
        rest = {"index": 0, "function": {"arguments": calls[0]["function"]["arguments"]}}
        yield choice(0, {"tool_calls": [rest]})
        yield choice(0, {}, "tool_calls")
    for number, (tokens, end) in enumerate(drafts):
        yield choice(number, {"role": "assistant", "content": "", "refusal": None})
        yield from (choice(number, {"content": token}) for token in tokens)
        yield choice(number, {}, end)


def completion_pieces(drafts: list[tuple[list[str], str]]) -> Iterator[dict[str, Any]]:
    for number, (tokens, end) in enumerate(drafts):
        for token in tokens:
            yield {"index": number, "text": token, "logprobs": None, "finish_reason": None}
        yield {"index": number, "text": "", "logprobs": None, "finish_reason": end}


def model_object(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}


def served_model(name: str, context: int, loaded: bool) -> dict[str, Any]:
    """What a text service of ours tells about a model; `grown` is a medium one."""
    size = {"family": "llama", "parameters": 34_000_000 if name == "grown" else 5_000_000, "dtype": "float32"}
    own = {"owned_by": "in-house", "base": None, "context_length": context, "vocab_size": 8192, "loaded": loaded}
    return {**model_object(name), **size, **own}
