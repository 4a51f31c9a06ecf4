"""An answer's calls read out of its text: whole, or piece by piece as it comes."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ml_text.grammar.tools import OPEN, CallPlan, CallShape
from shared.wire.chat import AnswerMessage
from shared.wire.tools import CustomCall, FunctionCall, ToolCall

if TYPE_CHECKING:
    from ml_text.job import Delta


@dataclass
class Said:
    """A piece of an answer: `text`, or a part of call number `call`, whose first piece has `shape` and an `id`."""

    text: str = ""
    call: int | None = None
    shape: CallShape | None = None
    id: str = ""
    piece: str = ""


@dataclass
class CallReader:
    """Tells calls from text, piece by piece as they come. The grammar has seen to it that they are well formed."""

    plan: CallPlan
    calls: int = 0
    state: Literal["begin", "text", "between", "body"] = "begin"
    _held: str = ""
    _shape: CallShape | None = field(default=None)

    def feed(self, text: str) -> Iterator[Said]:
        """What `text` adds."""
        self._held += text
        going = True
        while going:
            going = False
            if self.state == "begin":
                if not self._held or OPEN.startswith(self._held):
                    return
                self.state = "between" if self._held.startswith(OPEN) else "text"
            if self.state == "text":
                if self._held:
                    yield Said(text=self._held)
                self._held = ""
            elif self.state == "between":
                going = self._find_head()
                if going:
                    self.state = "body"
                    yield Said(call=self.calls, shape=self._shape, id=f"call_{uuid.uuid4().hex[:24]}")
            elif self.state == "body":
                piece, going = self._take_body()
                if piece:
                    yield Said(call=self.calls, piece=piece)
                if going:
                    self.calls, self.state = self.calls + 1, "between"

    def finish(self) -> Iterator[Said]:
        """What was held back; a call that was cut by a stop string stays as far as it came."""
        held, self._held = self._held, ""
        if held and self.state in ("begin", "text"):
            yield Said(text=held)
        elif held and self.state == "body":
            yield Said(call=self.calls, piece=self._unwrapped(held))

    @property
    def made(self) -> int:
        """How many calls there are."""
        return self.calls + (self.state == "body")

    def _find_head(self) -> bool:
        rest = self._held.lstrip("\n")
        for shape in sorted(self.plan.shapes, key=lambda shape: -len(shape.head)):
            if rest.startswith(shape.head):
                self._shape, self._held = shape, rest[len(shape.head) :]
                return True
        return False

    def _take_body(self) -> tuple[str, bool]:
        """What is sure to belong to the call, and whether that was its end."""
        assert self._shape is not None
        tail = self._shape.tail
        body, found, rest = self._held.partition(tail)
        if found:
            self._held = rest
            return self._unwrapped(body), True
        if self._shape.kind == "custom" and not self._shape.syntax:
            return "", False  # a JSON string is read once it is whole
        keep = len(tail) - 1
        sure, self._held = self._held[:-keep], self._held[-keep:]
        return sure, False

    def _unwrapped(self, body: str) -> str:
        assert self._shape is not None
        if self._shape.kind == "custom" and not self._shape.syntax:
            try:
                return str(json.loads(body))
            except ValueError:  # cut by a stop string
                return body
        return body


def read_message(text: str, plan: CallPlan) -> AnswerMessage:
    """The assistant's message: content, or calls and no content."""
    reader = CallReader(plan)
    said = ""
    calls: list[tuple[CallShape, str, list[str]]] = []
    for piece in [*reader.feed(text), *reader.finish()]:
        if piece.shape is not None:
            calls.append((piece.shape, piece.id, []))
        elif piece.call is not None:
            calls[piece.call][2].append(piece.piece)
        said += piece.text
    made = [_call(shape, id, "".join(pieces)) for shape, id, pieces in calls]
    return AnswerMessage(content=said if not made else None, tool_calls=made or None)


def _call(shape: CallShape, id: str, body: str) -> ToolCall:
    if shape.kind == "function":
        return ToolCall(id=id, function=FunctionCall(name=shape.name, arguments=body))
    return ToolCall(id=id, type="custom", custom=CustomCall(name=shape.name, input=body))


class DeltaWriter:
    """One choice's deltas as OpenAI streams them: content, or for each call its name first and then its arguments."""

    def __init__(self, plan: CallPlan | None) -> None:
        self._reader = CallReader(plan) if plan else None
        self._kind = "function"

    def write(self, delta: "Delta", scored: bool) -> Iterator[dict[str, Any]]:
        """`scored`: there are log-probabilities to send, also where there is no text yet."""
        if self._reader is None:
            if delta.text or scored:
                yield {"content": delta.text}
            return
        pieces = [*self._reader.feed(delta.text), *(self._reader.finish() if delta.finish_reason else ())]
        for piece in pieces:
            if piece.call is None:
                yield {"content": piece.text}
            else:
                yield {"tool_calls": [{"index": piece.call, **self._part(piece)}]}

    def finish_reason(self, delta: "Delta") -> str | None:
        return "tool_calls" if self._reader and self._reader.made else delta.finish_reason

    def _part(self, piece: Said) -> dict[str, Any]:
        if piece.shape is not None:
            self._kind = piece.shape.kind
            empty = {"name": piece.shape.name, _body(self._kind): ""}
            return {"id": piece.id, "type": self._kind, self._kind: empty}
        return {self._kind: {_body(self._kind): piece.piece}}


def _body(kind: str) -> str:
    return "arguments" if kind == "function" else "input"
