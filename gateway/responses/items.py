"""OpenAI's items: read as chat messages, and in the form in which they are kept and listed."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from gateway.responses.compaction import unpack
from shared.errors import InvalidRequest

Json = dict[str, Any]
ROLES = ("user", "assistant", "system", "developer")
STATES = ("in_progress", "completed", "incomplete")
MAX_ID = 128


def items_of(given: str | list[Json] | None) -> list[Json]:
    """The input as a list of items."""
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given or []


def to_messages(items: list[Json], where: str = "input") -> list[Json]:
    """Chat messages; neighbouring calls are one assistant's message. InvalidRequest naming the item."""
    messages: list[Json] = []
    for place, item in enumerate(items):
        kind = item.get("type") or "message"
        read = ITEMS.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise InvalidRequest(
                f"{where}[{place}].type: there is no item {kind!r} here; there is {', '.join(ITEMS)}",
                param=f"{where}[{place}].type",
            )
        for made in read(item, f"{where}[{place}]"):
            last = messages[-1] if messages else {}
            if "tool_calls" in made and last.get("role") == "assistant":
                last["tool_calls"] = [*last.get("tool_calls", ()), *made["tool_calls"]]
            else:
                messages.append(made)
    return messages


def kept_item(item: Json) -> Json:
    """As OpenAI lists it: with an id, a status, and a message's text as parts. `to_messages` has read it before."""
    kind = item.get("type") or "message"
    id = item.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= MAX_ID:
        id = f"{PREFIXES[kind]}_{uuid.uuid4().hex}"
    made = {**item, "id": id, "type": kind}
    if kind == "reasoning":
        made["summary"] = item.get("summary") or []
    elif kind != "compaction":
        made["status"] = item["status"] if item.get("status") in STATES else "completed"
    if kind == "message":
        text = "output_text" if item["role"] == "assistant" else "input_text"
        content = item["content"]
        parts = [{"type": text, "text": content}] if isinstance(content, str) else cast(list[Json], content)
        made["content"] = [_kept_part(part, text) for part in parts]
    return made


def _kept_part(part: Json, text: str) -> Json:
    if part["type"] == "input_image":
        return {**part, "detail": part.get("detail") or "auto"}
    if part["type"] not in ("input_text", "output_text", "text"):
        return part
    extra: Json = {"annotations": [], "logprobs": []} if text == "output_text" else {}
    return {**extra, **part, "type": text}


def _message(item: Json, where: str) -> list[Json]:
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        raise InvalidRequest(f"{where}.role is {', '.join(ROLES)}", param=f"{where}.role")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if not isinstance(content, list) or not content:
        raise InvalidRequest(f"{where}.content is text or a list of parts", param=f"{where}.content")
    return [{"role": role, "content": _parts(cast(list[Any], content), f"{where}.content")}]


def _parts(parts: list[Any], where: str) -> str | list[Json]:
    """A single text is a string: some engines read nothing else."""
    read = [_part(part, f"{where}[{n}]") for n, part in enumerate(parts)]
    return read[0]["text"] if len(read) == 1 and read[0]["type"] == "text" else read


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
    if kind == "input_file":
        file = {"file_data": _text(part, "file_data", where), "filename": part.get("filename") or "file"}
        return {"type": "file", "file": file}
    raise InvalidRequest(f"{where}: a part of the type {kind!r} cannot be read", param=f"{where}.type")


def _call(item: Json, where: str) -> list[Json]:
    function = {"name": _text(item, "name", where), "arguments": _text(item, "arguments", where)}
    return [_called({"id": _text(item, "call_id", where), "type": "function", "function": function})]


def _custom_call(item: Json, where: str) -> list[Json]:
    custom = {"name": _text(item, "name", where), "input": _text(item, "input", where)}
    return [_called({"id": _text(item, "call_id", where), "type": "custom", "custom": custom})]


def _called(call: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _output(item: Json, where: str) -> list[Json]:
    output = item.get("output")
    if isinstance(output, list):
        output = _parts(cast(list[Any], output), f"{where}.output")
    elif not isinstance(output, str):
        raise InvalidRequest(f"{where}.output is text or a list of parts", param=f"{where}.output")
    return [{"role": "tool", "tool_call_id": _text(item, "call_id", where), "content": output}]


def _thought(item: Json, where: str) -> list[Json]:
    """What a model thought is not told to it again."""
    if not isinstance(item.get("summary") or [], list):
        raise InvalidRequest(f"{where}.summary must be a list", param=f"{where}.summary")
    return []


def _compaction(item: Json, where: str) -> list[Json]:
    return unpack(_text(item, "encrypted_content", where), f"{where}.encrypted_content")


ITEMS: Mapping[str, Callable[[Json, str], list[Json]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "reasoning": _thought,
    "compaction": _compaction,
}
PREFIXES = dict(zip(ITEMS, ("msg", "fc", "fco", "ctc", "ctco", "rs", "cmp"), strict=True))
"""of the ids that are given here"""


def _text(item: Json, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{where}.{name} must be a string", param=f"{where}.{name}")
    return value
