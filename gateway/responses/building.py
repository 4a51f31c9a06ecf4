"""A response in the making: the object that stands at each moment, and the events that lead to it.

Whole answers take the same way as streamed ones: a chat message is one piece with everything in it.
"""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from shared.errors import ServiceError
from shared.wire.responses import ResponseRequest

Json = dict[str, Any]
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
KINDS = {"function": ("function_call", "arguments", "fc"), "custom": ("custom_tool_call", "input", "ctc")}
"""chat's kind of call -> the item's type, the field that grows, the prefix of its id"""


class Building:
    """Feed it chat deltas; `response` is what has come of them so far."""

    def __init__(self, request: ResponseRequest, model: str) -> None:
        self.response = _empty(request, model)
        self._finish: str | None = None
        self._text: Json | None = None
        self._calls: dict[int, Json] = {}
        self._number = 0

    def start(self) -> Iterator[Json]:
        for name in ("created", "in_progress"):
            yield self._event(f"response.{name}", response=dict(self.response))

    def feed(self, choice: Json) -> Iterator[Json]:
        """A chunk's choice with `delta`, or an answer's with `message`."""
        delta: Json = choice.get("delta") or choice.get("message") or {}
        if text := delta.get("content") or delta.get("refusal"):
            yield from self._add_text(text)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            yield from self._add_call(call, call.get("index", place))
        self._finish = choice.get("finish_reason") or self._finish

    def end(self, usage: Json | None) -> Iterator[Json]:
        """The items are closed, and the response is completed or cut by the limit."""
        reason = REASONS.get(self._finish or "")
        state = "incomplete" if reason else "completed"
        for place, item in enumerate(self.response["output"]):
            item["status"] = state
            yield from self._close(item, place)
        self.response |= {
            "status": state,
            "usage": _usage(usage or {}),
            "incomplete_details": {"reason": reason} if reason else None,
            "completed_at": None if reason else int(time.time()),
        }
        yield self._event(f"response.{state}", response=self.response)

    def fail(self, error: ServiceError) -> Json:
        self.response |= {"status": "failed", "error": {"code": "server_error", "message": str(error)}}
        return self._event("response.failed", response=self.response)

    def _add_text(self, text: str) -> Iterator[Json]:
        if self._text is None:
            self._text = {
                "id": f"msg_{uuid.uuid4().hex}",
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            yield from self._open(self._text)
            self._text["content"].append({"type": "output_text", "text": "", "annotations": [], "logprobs": []})
            part = dict(self._text["content"][0])
            yield self._event("response.content_part.added", **self._where(self._text), content_index=0, part=part)
        self._text["content"][0]["text"] += text
        where = self._where(self._text)
        yield self._event("response.output_text.delta", **where, content_index=0, delta=text, logprobs=[])

    def _add_call(self, call: Json, index: int) -> Iterator[Json]:
        if index not in self._calls:
            kind = call.get("type") or "function"
            name, grows, prefix = KINDS[kind]
            item = {"id": f"{prefix}_{uuid.uuid4().hex}", "type": name, "status": "in_progress"}
            item |= {"call_id": call.get("id"), "name": call[kind]["name"], grows: ""}
            self._calls[index] = item
            yield from self._open(item)
        item = self._calls[index]
        _, grows, _ = KINDS["function" if item["type"] == "function_call" else "custom"]
        body: Json = call.get("function") or call.get("custom") or {}
        if piece := body.get(grows):
            item[grows] += piece
            yield self._event(f"response.{_stem(item)}.delta", **self._where(item), delta=piece)

    def _open(self, item: Json) -> Iterator[Json]:
        self.response["output"].append(item)
        place = len(self.response["output"]) - 1
        yield self._event("response.output_item.added", output_index=place, item={**item})

    def _close(self, item: Json, place: int) -> Iterator[Json]:
        where = self._where(item)
        if item["type"] == "message":
            part = item["content"][0]
            yield self._event("response.output_text.done", **where, content_index=0, text=part["text"], logprobs=[])
            yield self._event("response.content_part.done", **where, content_index=0, part=part)
        elif item["type"] == "function_call":
            said = {"arguments": item["arguments"], "name": item["name"]}
            yield self._event("response.function_call_arguments.done", **where, **said)
        else:
            yield self._event("response.custom_tool_call_input.done", **where, input=item["input"])
        yield self._event("response.output_item.done", output_index=place, item=item)

    def _where(self, item: Json) -> Json:
        place = next(n for n, other in enumerate(self.response["output"]) if other is item)
        return {"item_id": item["id"], "output_index": place}

    def _event(self, type: str, **fields: Any) -> Json:
        event = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return event


def _stem(item: Json) -> str:
    return "function_call_arguments" if item["type"] == "function_call" else "custom_tool_call_input"


def _empty(request: ResponseRequest, model: str) -> Json:
    """Every key of OpenAI's object, before anything is there."""
    text = request.text
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "conversation": None,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": None,
        "metadata": request.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "prompt": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": request.store is not False,
        "temperature": request.temperature,
        "text": {
            "format": (text and text.format) or {"type": "text"},
            "verbosity": (text and text.verbosity) or "medium",
        },
        "tool_choice": request.tool_choice or "auto",
        "tools": [_told(tool) for tool in request.tools or ()],
        "top_logprobs": 0,
        "top_p": request.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": request.user,
    }


def _told(tool: Json) -> Json:
    return {"parameters": None, "strict": None, **tool} if tool.get("type") == "function" else tool


def _usage(usage: Json) -> Json:
    asked, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    cached: Json = usage.get("prompt_tokens_details") or {}
    thought: Json = usage.get("completion_tokens_details") or {}
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": cached.get("cached_tokens") or 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought.get("reasoning_tokens") or 0},
        "total_tokens": asked + written,
    }
