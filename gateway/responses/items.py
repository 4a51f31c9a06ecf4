"""From a response's request to chat: items become messages, tools and formats take chat's shape."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from shared.errors import InvalidRequest
from shared.wire.responses import ResponseRequest

Json = dict[str, Any]
ROLES = ("user", "assistant", "system", "developer")


def chat_body(request: ResponseRequest, messages: list[Json]) -> Json:
    """The chat request for `messages`. InvalidRequest naming the field that has no meaning there."""
    body: Json = {"model": request.model, "messages": messages}
    named = {
        "max_completion_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "user": request.user,
    }
    body |= {name: value for name, value in named.items() if value is not None}
    if request.text and request.text.format:
        body["response_format"] = _format(request.text.format)
    if request.tools:
        body["tools"] = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(request.tools)]
        if request.tool_choice is not None:
            body["tool_choice"] = _choice(request.tool_choice)
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    elif request.tool_choice not in (None, "none", "auto"):
        raise InvalidRequest("tool_choice needs tools", param="tool_choice")
    return body


def items_of(given: str | list[Json]) -> list[Json]:
    """The input as a list of items."""
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given


def to_messages(items: list[Json], where: str = "input") -> list[Json]:
    """Chat messages; neighbouring calls are one assistant's message. InvalidRequest naming the item."""
    messages: list[Json] = []
    for place, item in enumerate(items):
        kind = item.get("type", "message")
        make = ITEMS.get(kind) if isinstance(kind, str) else None
        if make is None:
            raise InvalidRequest(
                f"{where}[{place}].type: there is no item {kind!r} here; there is {', '.join(ITEMS)}",
                param=f"{where}[{place}].type",
            )
        made = make(item, f"{where}[{place}]")
        if made is None:
            continue
        last = messages[-1] if messages else {}
        if "tool_calls" in made and last.get("role") == "assistant":
            last["tool_calls"] = [*last.get("tool_calls", ()), *made["tool_calls"]]
        else:
            messages.append(made)
    if not messages:
        raise InvalidRequest(f"`{where}` must not be empty", param=where)
    return messages


def _message(item: Json, where: str) -> Json:
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise InvalidRequest(f"{where}.role is {', '.join(ROLES)}", param=f"{where}.role")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, list) or not content:
        raise InvalidRequest(f"{where}.content is text or a list of parts", param=f"{where}.content")
    parts = cast(list[Any], content)
    return {"role": role, "content": [_part(part, f"{where}.content[{n}]") for n, part in enumerate(parts)]}


def _part(given: Any, where: str) -> Json:
    part = cast(Json, given) if isinstance(given, dict) else {}
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": _text(part, "text", where)}
    if kind == "refusal":
        return {"type": "refusal", "refusal": _text(part, "refusal", where)}
    if kind == "input_image":
        picture = {"url": _text(part, "image_url", where), "detail": part.get("detail") or "auto"}
        return {"type": "image_url", "image_url": picture}
    raise InvalidRequest(f"{where}: a part of the type {kind!r} cannot be read", param=f"{where}.type")


def _call(item: Json, where: str) -> Json:
    function = {"name": _text(item, "name", where), "arguments": _text(item, "arguments", where)}
    call = {"id": _text(item, "call_id", where), "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _custom_call(item: Json, where: str) -> Json:
    custom = {"name": _text(item, "name", where), "input": _text(item, "input", where)}
    call = {"id": _text(item, "call_id", where), "type": "custom", "custom": custom}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _output(item: Json, where: str) -> Json:
    output = item.get("output")
    if isinstance(output, list):
        parts = cast(list[Any], output)
        output = [_part(part, f"{where}.output[{n}]") for n, part in enumerate(parts)]
    elif not isinstance(output, str):
        raise InvalidRequest(f"{where}.output is text or a list of parts", param=f"{where}.output")
    return {"role": "tool", "tool_call_id": _text(item, "call_id", where), "content": output}


def _nothing(item: Json, where: str) -> None:
    """What a model thought is not told to it again."""


ITEMS: Mapping[str, Callable[[Json, str], Json | None]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "reasoning": _nothing,
}


def _text(item: Json, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{where}.{name} must be a string", param=f"{where}.{name}")
    return value


def _tool(tool: Json, where: str) -> Json:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise InvalidRequest(f"{where}.type: there is no tool of the type {kind!r} here", param=f"{where}.type")
    return {"type": kind, kind: {name: value for name, value in tool.items() if name != "type" and value is not None}}


def _choice(choice: str | Json) -> str | Json:
    if isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind in ("function", "custom"):
        return {"type": kind, kind: {"name": choice.get("name")}}
    if kind == "allowed_tools":
        tools: Any = choice.get("tools")
        listed = cast(list[Any], tools) if isinstance(tools, list) else []
        named = [_choice(cast(Json, tool)) for tool in listed if isinstance(tool, dict)]
        return {"type": kind, kind: {"mode": choice.get("mode"), "tools": named}}
    raise InvalidRequest(f"tool_choice.type: there is no {kind!r} here", param="tool_choice.type")


def _format(given: Json) -> Json:
    if given.get("type") != "json_schema":
        return given
    return {"type": "json_schema", "json_schema": {name: value for name, value in given.items() if name != "type"}}
