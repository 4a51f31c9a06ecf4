"""From a response's request to chat's: tools, formats and hints take chat's shape."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from shared.errors import InvalidRequest
from shared.wire.responses import PromptRequest, ResponseRequest

Json = dict[str, Any]
LOGPROBS = "message.output_text.logprobs"
NAMES = {
    "messages": "input",
    "response_format": "text.format",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
}
"""chat's fields -> what they are called here"""
SAME = ("temperature", "top_p", "user", "safety_identifier", "prompt_cache_key")


def chat_body(request: PromptRequest, messages: list[Json]) -> Json:
    """The chat request for `messages`. InvalidRequest naming the field that has no meaning there."""
    body: Json = {"model": request.model, "messages": messages}
    text, reasoning = request.text, request.reasoning
    body["verbosity"] = text and text.verbosity
    body["reasoning_effort"] = reasoning and reasoning.effort
    if isinstance(request, ResponseRequest):
        body["max_completion_tokens"] = request.max_output_tokens
        body |= {name: getattr(request, name) for name in SAME}
        if request.top_logprobs or LOGPROBS in (request.include or ()):
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if text and text.format:
        body["response_format"] = _format(text.format)
    if request.tools:
        body["tools"] = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(request.tools)]
        body["tool_choice"] = _choice(request.tool_choice)
        body["parallel_tool_calls"] = request.parallel_tool_calls
    elif request.tool_choice not in (None, "none", "auto"):
        raise InvalidRequest("tool_choice needs tools", param="tool_choice")
    return {name: value for name, value in body.items() if value is not None or name == "model"}


@contextmanager
def named_as_asked() -> Generator[None]:
    """A refusal by chat names the field that the client knows."""
    try:
        yield
    except InvalidRequest as error:
        field = re.match(r"\w+", error.param or "")
        error.param = NAMES.get(field[0], error.param) if field else error.param
        raise


def _tool(tool: Json, where: str) -> Json:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise InvalidRequest(f"{where}.type: there is no tool of the type {kind!r} here", param=f"{where}.type")
    if not isinstance(tool.get("name"), str):
        raise InvalidRequest(f"{where}.name must be a string", param=f"{where}.name")
    names = ("name", "description", "parameters", "strict") if kind == "function" else ("name", "description")
    made: Json = {name: tool[name] for name in names if tool.get(name) is not None}
    given = tool.get("format") if kind == "custom" else None
    if isinstance(given, dict):  # chat has the grammar one level deeper
        format = cast(Json, given)
        grammar = {name: format[name] for name in ("syntax", "definition") if name in format}
        made["format"] = {"type": format.get("type")} | ({"grammar": grammar} if grammar else {})
    return {"type": kind, kind: made}


def _choice(choice: str | Json | None) -> str | Json | None:
    if choice is None or isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind in ("function", "custom"):
        if not isinstance(choice.get("name"), str):
            raise InvalidRequest("tool_choice.name must be a string", param="tool_choice.name")
        return {"type": kind, kind: {"name": choice["name"]}}
    if kind == "allowed_tools":
        tools: Any = choice.get("tools")
        listed = cast(list[Any], tools) if isinstance(tools, list) else []
        named = [_choice(cast(Json, tool)) for tool in listed if isinstance(tool, dict)]
        return {"type": kind, kind: {"mode": choice.get("mode"), "tools": named}}
    raise InvalidRequest(f"tool_choice.type: there is no {kind!r} here", param="tool_choice.type")


def _format(given: Json) -> Json:
    kind = given.get("type")
    if kind in ("text", "json_object"):
        return {"type": kind}
    if kind != "json_schema":
        raise InvalidRequest(f"text.format.type: there is no {kind!r} here", param="text.format.type")
    for name, form in (("name", str), ("schema", dict)):
        if not isinstance(given.get(name), form):
            raise InvalidRequest(f"text.format.{name} is missing", param=f"text.format.{name}")
    return {"type": kind, kind: {name: value for name, value in given.items() if name != "type"}}
