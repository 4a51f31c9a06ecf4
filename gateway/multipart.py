"""Multipart forms, read as they come: one file goes to a draft on disk, the few short fields into memory."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.blobs import Draft
from shared.errors import InvalidRequest
from shared.events import ClientLeft
from shared.wire.files import NAME_CHARS

MAX_PARTS = 100
FIELD_LIMIT_BYTES = 16 << 10
FORM_LIMIT_BYTES = 2 << 20
"""What a body may have besides its file: fields, boundaries and headers."""
WRITE_BYTES = 1 << 20
"""How much is collected before a thread writes it."""
MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
UNKNOWN = "application/octet-stream"


@dataclass
class Form:
    """What came beside the bytes. `filename` is None until the file came."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    filename: str | None = None
    media_type: str = UNKNOWN


class FormReader:
    """The parser's callbacks; `pending` holds bytes of the file `file_field` that are not written yet."""

    def __init__(self, boundary: bytes, file_field: str) -> None:
        self.form = Form()
        self.file_field = file_field
        self.pending = bytearray()
        self.parts = 0
        self.ended = False
        self.header, self.value = b"", b""
        self.headers: dict[bytes, bytes] = {}
        self.name, self.taken = "", False
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
        if self.form.filename is None:
            raise InvalidRequest(f"`{self.file_field}` is missing: send it as a file", param=self.file_field)
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
        self.name = _decode(options[b"name"], None)
        self.taken = False
        if b"filename" in options and self.name == self.file_field:
            if self.form.filename is not None:
                raise InvalidRequest(f"`{self.name}` was sent twice", param=self.name)
            self.taken = True
            self.form.filename = _filename(_decode(options[b"filename"], self.name), self.name)
            kind, _ = parse_options_header(self.headers.get(b"content-type"))
            self.form.media_type = media_type(kind.decode("latin-1"))
        elif b"filename" in options:
            self.name = ""  # a file that this route does not know, passed over like any unknown field

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self.taken:
            self.pending += data[start:end]
        elif self.name:
            self.text += data[start:end]
            if len(self.text) > FIELD_LIMIT_BYTES:
                raise InvalidRequest(f"{self.name[:80]} is longer than {FIELD_LIMIT_BYTES} bytes", param=self.name[:80])

    def _part_end(self) -> None:
        if self.name and not self.taken:
            self.form.fields[self.name] = _decode(bytes(self.text), self.name)

    def _end(self) -> None:
        self.ended = True


async def read_form(request: Request, file_field: str, draft: Draft) -> Form:
    """The form, with the bytes of `file_field` in `draft`, sealed. Raises InvalidRequest, TooLarge or StorageFull."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequest("the body must be multipart/form-data with a boundary", code="invalid_multipart")
    try:
        reader = FormReader(options[b"boundary"], file_field)
    except FormParserError as error:
        raise InvalidRequest(f"the multipart boundary cannot be used: {error}", code="invalid_multipart") from None
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        reader.feed(message.get("body", b""))
        more = message.get("more_body", False)
        if len(reader.pending) >= WRITE_BYTES or not more:
            data, reader.pending = bytes(reader.pending), bytearray()
            await asyncio.to_thread(draft.write, data)
    form = reader.finish()
    if not draft.size_bytes:
        raise InvalidRequest("the file is empty", param=file_field, code="empty_file")
    await asyncio.to_thread(draft.seal)
    return form


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
