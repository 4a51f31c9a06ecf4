"""What models make and the gateway keeps: files of the key's, with an address that a browser can open."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from shared.blobs import Draft
from shared.errors import NotFound, UpstreamFailed
from shared.files import FileStore, StoredFile

PURPOSE = "assistants_output"
"""OpenAI's name for files that a model made; its clients know a closed set."""
MOST_BYTES = 256 << 20
MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
SOUNDS = {
    "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/flac": ".flac", "audio/ogg": ".ogg", "audio/opus": ".opus",
    "audio/aac": ".aac", "audio/pcm": ".pcm", "audio/midi": ".mid",
}  # fmt: skip
SUFFIXES: Mapping[str, str] = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", **SOUNDS}
"""media type -> what a file's name ends with; another modality adds its own."""


async def keep(files: FileStore, key_id: str, data: bytes, media_type: str, expires_after_s: int | None) -> StoredFile:
    """Raises StorageFull."""
    with files.draft(MOST_BYTES, "prompt") as draft:
        await asyncio.to_thread(_write, draft, data)
        if media_type not in SUFFIXES:
            raise UpstreamFailed(f"the upstream's answer is {media_type[:40]}, which is not kept")
        name = media_type.partition("/")[0] + SUFFIXES[media_type]
        return files.put(key_id, draft, name, PURPOSE, media_type, expires_after_s)


def _write(draft: Draft, data: bytes) -> None:
    draft.write(data)
    draft.seal()


def image_type(data: bytes) -> str:
    """By its first bytes, whatever anybody says. Raises UpstreamFailed for what is no picture."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise UpstreamFailed("the upstream's picture is none that a browser shows")


def public_name(file: StoredFile) -> str:
    """What a generated file is called outside: nobody can guess it, and it never becomes a path."""
    return file.id + SUFFIXES.get(file.media_type, "")


def file_id(filename: str) -> str:
    return filename.partition(".")[0]


def described(request: Request, file: StoredFile) -> dict[str, Any]:
    """What a client is told of a file; the address needs its key."""
    name = public_name(file)
    url = f"{base_url(request)}/api/v1/multimodal/download/{name}"
    return {"filename": name, "url": url, "media_type": file.media_type, "size_bytes": file.size_bytes}


def base_url(request: Request) -> str:
    """How this client reaches the gateway."""
    said = request.app.state.settings.gateway_url
    return (said or str(request.base_url)).rstrip("/")


def signed_url(request: Request, file: StoredFile) -> str:
    """Open without a key until the file expires."""
    expires = file.expires or int(time.time())
    signature = request.app.state.signer.sign(file.id, expires)
    return f"{base_url(request)}/v1/images/files/{public_name(file)}?expires={expires}&signature={signature}"


def find(files: FileStore, key_id: str, filename: str) -> StoredFile:
    """The generated file of that public name. Raises NotFound on `filename`."""
    file = files.get(key_id, file_id(filename), "filename")
    if file.purpose != PURPOSE or public_name(file) != filename:
        raise NotFound(f"no file {filename[:80]!r}", code="file_not_found", param="filename")
    return file
