"""A form's one file on its way to the disk, the few short fields in memory."""

import asyncio

from fastapi import Request

from shared.blobs import Draft
from shared.errors import InvalidRequest
from shared.multipart import FormFile, feed_form, open_form

WRITE_BYTES = 1 << 20
"""How much is collected before a thread writes it."""


async def read_upload(request: Request, param: str, draft: Draft) -> tuple[dict[str, str], FormFile]:
    """The fields, and the file `param` with its bytes in `draft`, sealed, and none in memory.

    Raises InvalidRequest, TooLarge or StorageFull.
    """
    reader = open_form(request.headers.get("content-type"), {param: 1})
    async for _ in feed_form(reader, request.receive):
        for file in reader.form.files:
            if len(file.data) >= WRITE_BYTES or reader.ended:
                data, file.data = bytes(file.data), bytearray()
                await asyncio.to_thread(draft.write, data)
    form = reader.finish()
    if not form.files:
        raise InvalidRequest(f"`{param}` is missing: send it as a file", param=param)
    if not draft.size_bytes:
        raise InvalidRequest("the file is empty", param=param, code="empty_file")
    await asyncio.to_thread(draft.seal)
    return form.fields, form.files[0]
