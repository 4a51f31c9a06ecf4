"""Tools of a chat request: what the model is told of them, what it may answer, past calls as the model reads them."""

import json
from collections.abc import Sequence
from typing import Any

from ml_text.grammar.tools import CallPlan, CallShape
from shared.errors import InvalidRequest
from shared.wire.chat import ChatRequest, Message
from shared.wire.tools import Tool, ToolCall, ToolChoice


def call_plan(body: ChatRequest) -> CallPlan | None:
    """What the answer may be; None when it is to be text alone. InvalidRequest naming the field that is wrong."""
    choice = body.tool_choice
    if not body.tools:
        if choice not in (None, "none", "auto"):
            raise InvalidRequest("tool_choice needs tools", param="tool_choice")
        return None
    shapes = [_shape(tool, f"tools[{place}]") for place, tool in enumerate(body.tools)]
    names = [shape.name for shape in shapes]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidRequest(f"tools[{place}]: there are two tools {name!r}", param=f"tools[{place}]")
    if choice == "none":
        return None
    required = choice == "required"
    parallel = body.parallel_tool_calls is not False
    if isinstance(choice, ToolChoice):
        shapes, required, many = _chosen(choice, shapes)
        parallel = parallel and many
    text_format = body.response_format.model_dump() if body.response_format else None
    return CallPlan(tuple(shapes), required, parallel, text_format)


def _shape(tool: Tool, param: str) -> CallShape:
    if tool.type == "function":
        if tool.function is None:
            raise InvalidRequest(f"{param}.function is missing", param=f"{param}.function")
        function = tool.function
        where = f"{param}.function.parameters"
        return CallShape(function.name, "function", where, function.parameters, bool(function.strict))
    if tool.custom is None:
        raise InvalidRequest(f"{param}.custom is missing", param=f"{param}.custom")
    custom, where = tool.custom, f"{param}.custom.format"
    if custom.format is None or custom.format.type == "text":
        return CallShape(custom.name, "custom", where)
    if custom.format.grammar is None:
        raise InvalidRequest(f"{where}.grammar is missing", param=f"{where}.grammar")
    grammar = custom.format.grammar
    return CallShape(custom.name, "custom", where, syntax=grammar.syntax, definition=grammar.definition)


def _chosen(choice: ToolChoice, shapes: Sequence[CallShape]) -> tuple[list[CallShape], bool, bool]:
    """The tools that are left, whether one has to be called, and whether several may be."""
    if choice.type == "allowed_tools":
        if choice.allowed_tools is None:
            raise InvalidRequest("tool_choice.allowed_tools is missing", param="tool_choice.allowed_tools")
        wanted = [reference.name for reference in choice.allowed_tools.tools]
        required, many = choice.allowed_tools.mode == "required", True
    else:
        named = choice.function if choice.type == "function" else choice.custom
        if named is None:
            raise InvalidRequest(f"tool_choice.{choice.type} is missing", param=f"tool_choice.{choice.type}")
        wanted, required, many = [named.name], True, False
    left = [shape for shape in shapes if shape.name in wanted]
    unknown = set(wanted) - {shape.name for shape in left}
    if unknown:
        raise InvalidRequest(f"tool_choice: there is no tool {min(unknown)!r}", param="tool_choice")
    return left, required, many


def told_tools(body: ChatRequest) -> list[dict[str, Any]]:
    """The tools as chat templates take them; a custom one is a function with one text."""
    told: list[dict[str, Any]] = []
    for tool in body.tools or []:
        if tool.function is not None:
            told.append({"type": "function", "function": tool.function.model_dump(exclude_none=True)})
        elif tool.custom is not None:
            schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
            function = {"name": tool.custom.name, "description": tool.custom.description or "", "parameters": schema}
            told.append({"type": "function", "function": function})
    return told


def spoken(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as chat templates take them: calls with their arguments as objects."""
    return [_spoken(message) for message in messages]


def _spoken(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        said["tool_calls"] = [_spoken_call(call) for call in message.tool_calls]
    if message.role == "tool":
        said["tool_call_id"] = message.tool_call_id
    return said


def _spoken_call(call: ToolCall) -> dict[str, Any]:
    if call.custom is not None:
        arguments: Any = {"input": call.custom.input}
        name = call.custom.name
    else:
        given = call.function
        name = given.name if given else ""
        try:
            arguments = json.loads(given.arguments) if given and given.arguments else {}
        except ValueError:  # as the model once wrote it
            arguments = given.arguments if given else {}
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}
