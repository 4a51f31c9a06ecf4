"""Reads request bodies: never more than the limit, and JSON only as the standard has it.

Python's own parser takes NaN, Infinity and lone surrogates, which break later, when they are stored or sent on.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from shared.asgi import App, Message, Receive, Scope, Send
from shared.errors import InvalidRequest, TooLarge

SEARCH_LIMIT_BYTES = 1 << 20
"""Above this a broken body is not searched for the field to blame: the search is slow."""
MAX_DEPTH = 200
"""What can be read deeper cannot always be written or walked; no honest request comes near."""
STREAMED = (b"multipart/", b"application/octet-stream")
"""Content types that routes read piece by piece; they are counted, not collected."""


class ReadBody:
    """Leaves the bytes in `scope["body"]` and what a JSON body says in `scope["json"]`.

    `streamed_limits`: a path as a regular expression -> the limit of its streamed bodies, in place of `limit_bytes`.
    """

    def __init__(self, app: App, limit_bytes: int, streamed_limits: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.streamed_limits = [(re.compile(path), most) for path, most in (streamed_limits or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        kind, length = b"", None
        for name, value in scope["headers"]:
            if name == b"content-type":
                kind = value.lower()
            elif name == b"content-length" and value.isdigit():
                length = int(value)
        streamed = kind.startswith(STREAMED)
        limit_bytes = self._streamed_limit(scope["path"]) if streamed else self.limit_bytes
        if length is not None and length > limit_bytes:
            raise _too_large(limit_bytes)
        if streamed:
            await self.app(scope, _counted(receive, limit_bytes), send)
            return
        body = await self._read(receive)
        if body is None:  # the client left before the end
            return
        scope["body"] = body
        if body and b"json" in kind:
            scope["json"] = parse_json(body)
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.limit_bytes:
                raise _too_large(self.limit_bytes)
            chunks.append(chunk)
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _streamed_limit(self, path: str) -> int:
        return next((most for pattern, most in self.streamed_limits if pattern.fullmatch(path)), self.limit_bytes)


def _counted(receive: Receive, limit_bytes: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        return message

    return counted


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit_bytes} bytes", code="body_too_large")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more for whoever reads the request, then what the server says (a disconnect)."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def parse_json(body: bytes) -> Any:
    """`body` as JSON; InvalidRequest names the field that cannot be read, if one can be found."""
    try:
        found: Any = orjson.loads(body)
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(found) > MAX_DEPTH:
            raise InvalidRequest("the JSON is nested too deeply", code="invalid_json")
        return found
    except orjson.JSONDecodeError as error:
        problem, param = _blame(body) if len(body) <= SEARCH_LIMIT_BYTES else (None, None)
        message = problem or f"the body is not valid JSON: {error.msg}, at character {error.pos}"
        raise InvalidRequest(message, param=param, code="invalid_json") from None


def json_object(scope: Scope) -> dict[str, Any]:
    """The JSON object in the body that `ReadBody` read, whatever its content type; InvalidRequest when it is none."""
    parsed = scope["json"] if "json" in scope else parse_json(scope["body"]) if scope.get("body") else None
    if not isinstance(parsed, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    return cast(dict[str, Any], parsed)


def _depth(found: Any) -> int:
    level, depth = [found], 0
    while level:
        depth += 1
        inner = [list(cast(dict[str, Any], each).values()) if isinstance(each, dict) else each for each in level]
        level = [item for each in inner if isinstance(each, list) for item in cast(list[Any], each)]
    return depth


def _blame(body: bytes) -> tuple[str | None, str | None]:
    """What in a body that Python's lenient parser takes is not JSON, and in which field."""
    try:
        found = json.loads(body)
    except RecursionError:
        return "the JSON is nested too deeply", None
    except ValueError:
        return None, None
    todo: list[tuple[str, Any]] = [("", found)]
    while todo:
        path, value = todo.pop()
        problem = _problem(value)
        if problem:
            return f"{path or 'the body'} {problem}", path or None
        if isinstance(value, dict):
            for name, inner in cast(dict[str, Any], value).items():
                if _problem(name):
                    return f"a field's name in {path or 'the body'} is not valid Unicode", path or None
                todo.append((f"{path}.{name}" if path else name, inner))
        elif isinstance(value, list):
            todo += [(f"{path}[{i}]", inner) for i, inner in enumerate(cast(list[Any], value))]
    return "the JSON is nested too deeply", None  # all that is left that only the strict parser minds


def _problem(value: object) -> str | None:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return "is not a finite number"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "has a lone surrogate: not valid Unicode"
    return None


def encode(body: object, param: str | None = None) -> bytes:
    """JSON to send on. Raises InvalidRequest on `param` for what a client's JSON may hold and ours may not."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # such as an integer of more than 64 bits
        raise InvalidRequest(f"the body cannot be sent on: {error}", param=param) from error
