"""A chat whose turns are recordings, for models that read: each `input_audio` part becomes the words that are said."""

import base64
from typing import Any, cast

import orjson

from gateway.audio import Audio, AudioCall, Recording, whole
from shared.errors import InvalidRequest, UpstreamFailed

Json = dict[str, Any]
PART = "input_audio"
MOST = 20
"""Recordings in one request."""


async def written_down(body: Json, audio: Audio) -> Json:
    """`body` without recordings. Raises InvalidRequest by the part's path, and what transcribing raises."""
    messages: list[Any] = []
    heard = 0
    for i, message in enumerate(cast(list[Any], body["messages"])):
        content: Any = cast(Json, message).get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            messages.append(message)
            continue
        parts: list[Any] = []
        for j, part in enumerate(cast(list[Any], content)):
            if isinstance(part, dict) and cast(Json, part).get("type") == PART:
                heard += 1
                where = f"messages[{i}].content[{j}].{PART}"
                if heard > MOST:
                    raise InvalidRequest(f"there are more than {MOST} recordings", param=where)
                parts.append({"type": "text", "text": await _hear(cast(Json, part).get(PART), where, audio)})
            else:
                parts.append(part)
        messages.append({**cast(Json, message), "content": parts})
    return {**body, "messages": messages}


async def _hear(given: object, where: str, audio: Audio) -> str:
    said: Json = cast(Json, given) if isinstance(given, dict) else {}
    kind, data = said.get("format"), said.get("data")
    if not isinstance(data, str) or not isinstance(kind, str) or not kind.isalnum():
        raise InvalidRequest("must be {data: base64, format: wav or mp3}", param=where)
    try:
        sound = base64.b64decode(data, validate=True)
    except ValueError:
        raise InvalidRequest("is no base64", param=f"{where}.data") from None
    recording = Recording(f"turn.{kind[:10]}", f"audio/{kind[:10]}", sound)
    try:
        answer, _ = await whole(audio, AudioCall("transcriptions", {}, recording))
    except InvalidRequest as error:
        error.param = f"{where}.data"
        raise
    try:
        return str(orjson.loads(answer)["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise UpstreamFailed("the upstream's transcript cannot be read") from error
