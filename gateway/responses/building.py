"""A response in the making: the object that stands at each moment, and the events that lead to it.

Whole answers take the same way as streamed ones: a chat message is one piece with everything in it.
"""

import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from gateway.responses.response import empty_response, failure, response_usage
from shared.errors import ServiceError
from shared.wire.responses import ResponseRequest

Json = dict[str, Any]
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
OVER = frozenset(f"response.{state}" for state in ("completed", "incomplete", "failed"))
"""The types of last events."""
PAD = 16
"""With `include_obfuscation`, a delta and its padding have a multiple of so many characters."""


class Said(NamedTuple):
    """Where a field of chat's delta goes: the item's type, the part's type, the part's field that grows."""

    item: str
    part: str
    grows: str


SAID = {
    "reasoning_content": Said("reasoning", "reasoning_text", "text"),
    "content": Said("message", "output_text", "text"),
    "refusal": Said("message", "refusal", "refusal"),
}
ITEMS: dict[str, tuple[str, Json]] = {
    "reasoning": ("rs", {"summary": ()}),
    "message": ("msg", {"role": "assistant"}),
}
CALLS = {
    "function": ("function_call", "arguments", "fc", "function_call_arguments"),
    "custom": ("custom_tool_call", "input", "ctc", "custom_tool_call_input"),
}
"""chat's kind of call -> the item's type, the field that grows, the prefix of its id, the stem of its events"""


class Building:
    """Feed it chat deltas; `response` is what has come of them so far. The last item of its output is the open one."""

    def __init__(self, request: ResponseRequest, model: str) -> None:
        self.response = empty_response(request, model)
        self._finish: str | None = None
        self._open = False
        self._part: Json | None = None
        self._kind = ""
        self._call: int | None = None
        self._number = 0
        self._padded = bool(request.stream_options and request.stream_options.include_obfuscation)

    def queue(self) -> Iterator[Json]:
        """For what begins in the background."""
        self.response["status"] = "queued"
        for name in ("created", "queued"):
            yield self._event(f"response.{name}", response=dict(self.response))

    def start(self, model: str | None) -> Iterator[Json]:
        """`model` is who answers, if that is known by now."""
        queued = self._number > 0
        self.response |= {"status": "in_progress", "model": model or self.response["model"]}
        for name in ("in_progress",) if queued else ("created", "in_progress"):
            yield self._event(f"response.{name}", response={**self.response, "output": []})

    def feed(self, choice: Json) -> Iterator[Json]:
        """A chunk's choice with `delta`, or an answer's with `message`. What is not OpenAI's raises a LookupError."""
        delta: Json = choice.get("delta") or choice.get("message") or {}
        told: Json = choice.get("logprobs") or {}
        tokens: list[Json] = told.get("content") or []
        scored = [_scored(token) for token in tokens]
        for name, said in SAID.items():
            text, logprobs = delta.get(name), scored if name == "content" else []
            if text or logprobs:
                yield from self._say(said, text or "", logprobs)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            yield from self._grow_call(call, call.get("index", place))
        self._finish = choice.get("finish_reason") or self._finish

    def end(self, usage: Json | None) -> Iterator[Json]:
        """The open item is closed, and the response is completed or cut by the limit."""
        reason = REASONS.get(self._finish or "")
        state = "incomplete" if reason else "completed"
        if not self.response["output"]:  # an answer without a word is a message all the same
            yield from self._say(SAID["content"], "", [])
        yield from self._close(state)
        self.response |= {
            "status": state,
            "usage": response_usage(usage or {}),
            "incomplete_details": {"reason": reason} if reason else None,
            "completed_at": None if reason else int(time.time()),
        }
        yield self._event(f"response.{state}", response=self.response)

    def fail(self, error: ServiceError) -> Json:
        self._cut()
        self.response |= failure(error)
        return self._event("response.failed", response=self.response)

    def cancel(self) -> Json:
        """OpenAI has no event of that name: the last one is `incomplete`, with a response that says `cancelled`."""
        self._cut()
        self.response["status"] = "cancelled"
        return self._event("response.incomplete", response=self.response)

    def _cut(self) -> None:
        for item in self.response["output"]:
            if item["status"] == "in_progress":
                item["status"] = "incomplete"

    def _say(self, said: Said, text: str, logprobs: list[Json]) -> Iterator[Json]:
        if not self._open or self._last["type"] != said.item:
            prefix, fields = ITEMS[said.item]
            item: Json = {"id": f"{prefix}_{uuid.uuid4().hex}", "type": said.item, **fields, "content": []}
            yield from self._begin(item)
        if self._part is None or self._part["type"] != said.part:
            yield from self._close_part()
            self._part = {"type": said.part, said.grows: ""}
            if said.part == "output_text":
                self._part |= {"annotations": [], "logprobs": []}
            self._last["content"].append(self._part)
            yield self._event("response.content_part.added", **self._place, part=_copy(self._part))
        self._part[said.grows] += text
        more: Json = {}
        if said.part == "output_text":
            self._part["logprobs"] += logprobs
            more["logprobs"] = [_told_in_event(token) for token in logprobs]
        if text or logprobs:
            yield self._event(f"response.{said.part}.delta", **self._place, delta=text, **more)

    def _grow_call(self, call: Json, index: int) -> Iterator[Json]:
        if index != self._call or not self._open:
            self._kind = call.get("type") or "function"
            name, grows, prefix, _ = CALLS[self._kind]
            item: Json = {"id": f"{prefix}_{uuid.uuid4().hex}", "type": name}
            yield from self._begin({**item, "call_id": call["id"], "name": call[self._kind]["name"], grows: ""})
            self._call = index
        _, grows, _, stem = CALLS[self._kind]
        body: Json = call.get(self._kind) or {}
        if piece := body.get(grows):
            self._last[grows] += piece
            where = self._place
            yield self._event(f"response.{stem}.delta", **_of_item(where), delta=piece)

    def _begin(self, item: Json) -> Iterator[Json]:
        """The next item; the one before it is complete."""
        yield from self._close("completed")
        self.response["output"].append({**item, "status": "in_progress"})
        self._open, self._call = True, None
        place = len(self.response["output"]) - 1
        yield self._event("response.output_item.added", output_index=place, item=_copy(self._last))

    def _close(self, state: str) -> Iterator[Json]:
        if not self._open:
            return
        yield from self._close_part()
        item, where = self._last, _of_item(self._place)
        if item["type"] == "function_call":
            said = {"arguments": item["arguments"], "name": item["name"]}
            yield self._event("response.function_call_arguments.done", **where, **said)
        elif item["type"] == "custom_tool_call":
            yield self._event("response.custom_tool_call_input.done", **where, input=item["input"])
        item["status"] = state
        self._open = False
        yield self._event("response.output_item.done", output_index=where["output_index"], item=item)

    def _close_part(self) -> Iterator[Json]:
        part = self._part
        if part is None:
            return
        said = {field: part[field] for field in ("text", "refusal") if field in part}
        if "logprobs" in part:
            said["logprobs"] = [_told_in_event(token) for token in part["logprobs"]]
        yield self._event(f"response.{part['type']}.done", **self._place, **said)
        yield self._event("response.content_part.done", **self._place, part=part)
        self._part = None

    @property
    def _last(self) -> Json:
        return self.response["output"][-1]

    @property
    def _place(self) -> Json:
        last = self._last
        part = max(0, len(last.get("content") or ()) - 1)
        return {"item_id": last["id"], "output_index": len(self.response["output"]) - 1, "content_index": part}

    def _event(self, type: str, **fields: Any) -> Json:
        event: Json = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        if self._padded and "delta" in event:
            event["obfuscation"] = secrets.token_hex(PAD // 2)[len(event["delta"]) % PAD :]
        return event


def _of_item(place: Json) -> Json:
    return {"item_id": place["item_id"], "output_index": place["output_index"]}


def _copy(one: Json) -> Json:
    """As it stands now: what grows later must not show in an event that is sent later."""
    return {name: list(value) if isinstance(value, list) else value for name, value in one.items()}  # pyright: ignore[reportUnknownArgumentType]


def _scored(token: Json) -> Json:
    """A token's log-probability as an item has it."""
    top: list[Json] = token.get("top_logprobs") or []
    return {**_one(token), "top_logprobs": [_one(other) for other in top]}


def _one(token: Json) -> Json:
    return {"token": token["token"], "bytes": token.get("bytes") or [], "logprob": token["logprob"]}


def _told_in_event(token: Json) -> Json:
    top = [{"token": other["token"], "logprob": other["logprob"]} for other in token["top_logprobs"]]
    return {"token": token["token"], "logprob": token["logprob"], "top_logprobs": top}
