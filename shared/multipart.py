"""Multipart forms, read as they come."""

import json
import re
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.asgi import Receive
from shared.errors import InvalidRequest
from shared.events import ClientLeft
from shared.wire.files import NAME_CHARS

MAX_PARTS = 100
FIELD_LIMIT_BYTES = 16 << 10
FORM_LIMIT_BYTES = 2 << 20
"""What a body may have besides its files: fields, boundaries and headers."""
MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
UNKNOWN = "application/octet-stream"


@dataclass
class FormFile:
    param: str
    """The field that it came in."""
    filename: str
    media_type: str
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Form:
    fields: dict[str, str] = field(default_factory=dict[str, str])
    lists: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Of the fields `name[]`, by the name without brackets."""
    files: list[FormFile] = field(default_factory=list[FormFile])


class FormReader:
    """The parser's callbacks. `most` says which fields are files, and how many of each there may be."""

    def __init__(self, boundary: bytes, most: Mapping[str, int], field_limit_bytes: int) -> None:
        self.form = Form()
        self.most = dict(most)
        self.field_limit_bytes = field_limit_bytes
        self.parts = 0
        self.ended = False
        self.header, self.value = b"", b""
        self.headers: dict[bytes, bytes] = {}
        self.name = ""
        self.file: FormFile | None = None
        self.text = bytearray()
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end")
        callbacks: Any = {f"on_{name}": getattr(self, f"_{name}") for name in (*names, "headers_finished", "end")}
        self.parser = MultipartParser(boundary, callbacks)

    def feed(self, data: bytes) -> None:
        """Raises InvalidRequest."""
        try:
            self.parser.write(data)
        except FormParserError as error:
            raise InvalidRequest(f"the multipart body is broken: {error}", code="invalid_multipart") from None

    def finish(self) -> Form:
        if not self.ended:
            raise InvalidRequest("the multipart body has no end", code="invalid_multipart")
        return self.form

    def _part_begin(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise InvalidRequest(f"the form has more than {MAX_PARTS} parts", code="invalid_multipart")
        self.headers, self.text = {}, bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def _header_end(self) -> None:
        self.headers[self.header.lower()] = self.value
        self.header, self.value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self.headers.get(b"content-disposition"))
        if b"name" not in options:
            raise InvalidRequest("a part of the form has no name", code="invalid_multipart")
        self.name, self.file = _decode(options[b"name"], None), None
        if b"filename" not in options:
            return
        if self.name not in self.most:
            self.name = ""  # a file that this route does not know, passed over like any unknown field
            return
        self.most[self.name] -= 1
        if self.most[self.name] < 0:
            raise InvalidRequest(f"`{self.name}` was sent too often", param=self.name)
        kind, _ = parse_options_header(self.headers.get(b"content-type"))
        filename = _filename(_decode(options[b"filename"], self.name), self.name)
        self.file = FormFile(self.name, filename, media_type(kind.decode("latin-1")))
        self.form.files.append(self.file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self.file is not None:
            self.file.data += data[start:end]
        elif self.name:
            self.text += data[start:end]
            if len(self.text) > self.field_limit_bytes:
                name = self.name[:80]
                raise InvalidRequest(f"{name} is longer than {self.field_limit_bytes} bytes", param=name)

    def _part_end(self) -> None:
        if self.name and self.file is None:
            value = _decode(bytes(self.text), self.name)
            if self.name.endswith("[]"):
                self.form.lists.setdefault(self.name[:-2], []).append(value)
            else:
                self.form.fields[self.name] = value

    def _end(self) -> None:
        self.ended = True


def open_form(
    content_type: str | None, most: Mapping[str, int], field_limit_bytes: int = FIELD_LIMIT_BYTES
) -> FormReader:
    """Raises InvalidRequest when the body is no form."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequest("the body must be multipart/form-data with a boundary", code="invalid_multipart")
    try:
        return FormReader(options[b"boundary"], most, field_limit_bytes)
    except FormParserError as error:
        raise InvalidRequest(f"the multipart boundary cannot be used: {error}", code="invalid_multipart") from None


async def feed_form(reader: FormReader, receive: Receive) -> AsyncGenerator[None, None]:
    """Read the body; yields after each piece, so that the caller may take file bytes away. Raises InvalidRequest."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        reader.feed(message.get("body", b""))
        more = message.get("more_body", False)
        yield


async def read_form(
    receive: Receive, content_type: str | None, most: Mapping[str, int], field_limit_bytes: int = FIELD_LIMIT_BYTES
) -> Form:
    """The whole form in memory; the app's limit for bodies bounds it. Raises InvalidRequest or TooLarge."""
    reader = open_form(content_type, most, field_limit_bytes)
    async for _ in feed_form(reader, receive):
        pass
    return reader.finish()


def media_type(said: str) -> str:
    """`said` if it is one, without its parameters; it becomes a header of another answer."""
    return said if MEDIA_TYPE.fullmatch(said) else UNKNOWN


def _filename(name: str, param: str) -> str:
    if not 0 < len(name) <= NAME_CHARS:
        raise InvalidRequest(f"the file's name must have 1 to {NAME_CHARS} characters", param=param)
    return name


def _decode(data: bytes, param: str | None) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("a part of the form is not valid UTF-8", param=param and param[:80]) from None


def write_form(fields: Mapping[str, Any], files: Iterable[tuple[str, str, str, bytes]]) -> tuple[bytes, str]:
    """(body, content type) of a form. A file is (field, file name, media type, bytes); numbers, booleans and lists are
    written as OpenAI's clients do."""
    boundary = uuid.uuid4().hex
    parts: list[bytes] = []
    said: list[tuple[str, Any]] = []
    for name, value in fields.items():
        said += [(f"{name}[]", item) for item in cast(list[Any], value)] if isinstance(value, list) else [(name, value)]
    for name, value in said:
        text = value if isinstance(value, str) else json.dumps(value)
        parts += [b"--%s\r\n" % boundary.encode(), _disposition(name), b"\r\n\r\n", text.encode(), b"\r\n"]
    for name, filename, kind, data in files:
        parts += [b"--%s\r\n" % boundary.encode(), _disposition(name, filename), b"\r\n"]
        parts += [b"Content-Type: %s\r\n\r\n" % kind.encode(), data, b"\r\n"]
    parts.append(b"--%s--\r\n" % boundary.encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _disposition(name: str, filename: str | None = None) -> bytes:
    said = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    return (said if filename is None else f'{said}; filename="{_quoted(filename)}"').encode()


def _quoted(name: str) -> str:
    """As browsers do it (WHATWG, multipart/form-data encoding)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
