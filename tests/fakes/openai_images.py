"""OpenAI's images, in its shapes: a picture follows from the prompt alone. As a service of ours it also varies one."""

import base64
import contextlib
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from openai_shapes import Refusal
from PIL import Image, UnidentifiedImageError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

GOOD = ("gpt-image-1-mini", "gpt-image-1.5")
KNOWN = frozenset(
    """
    background model moderation n output_compression output_format partial_images prompt quality safety_identifier size
    stream user input_fidelity complexity
    """.split()
)
FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
SIDE = 1024
INVALID = "invalid_request_error"


async def generate(request: Request) -> Response:
    return await _answer(request, "image_generation", await request.json(), [])


async def edit(request: Request) -> Response:
    async with request.form() as form:
        fields: dict[str, Any] = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        sent = [(name, await file.read()) for name, file in files]
    images = [_open(name, data) for name, data in sent if name != "mask"]
    if not images:
        raise Refusal(400, INVALID, "Missing required parameter: 'image'.", "missing_required_parameter", "image")
    for name, data in sent:
        if name == "mask" and _open(name, data).size != images[0].size:
            raise Refusal(400, INVALID, "Invalid mask image size.", "invalid_value", "mask")
    return await _answer(request, "image_edit", fields, images)


async def vary(request: Request) -> Response:
    if not request.app.state.service:
        raise Refusal(404, INVALID, "The variations endpoint has been retired.", "unknown_url")
    async with request.form() as form:
        fields: dict[str, Any] = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        file = form["image"]
        assert isinstance(file, UploadFile)
        images = [_open("image", await file.read())]
    return await _answer(request, "image_edit", {"prompt": "a variation", **fields}, images)


async def _answer(request: Request, kind: str, fields: dict[str, Any], images: list[Image.Image]) -> Response:
    _check(request, fields)
    form = fields.get("output_format") or "png"
    width, height = _size(fields, images)
    head: dict[str, Any] = {"background": "opaque", "output_format": form, "quality": "medium"}
    head["size"] = f"{width}x{height}"
    count = int(fields.get("n") or 1)
    usage = {
        "input_tokens": len(fields["prompt"].split()),
        "input_tokens_details": {"text_tokens": len(fields["prompt"].split()), "image_tokens": 0},
        "output_tokens": 1056 * count,
        "total_tokens": 1056 * count + len(fields["prompt"].split()),
    }
    pictures = [_draw(f"{fields['prompt']} {number}", width, height, form) for number in range(count)]
    if str(fields.get("stream")).lower() == "true":
        partial = int(fields.get("partial_images") or 0)
        return StreamingResponse(_events(kind, head, pictures, partial, usage), media_type="text/event-stream")
    data = [{"b64_json": picture} for picture in pictures]
    return JSONResponse({"created": int(time.time()), "data": data, "usage": usage, **head})


async def _events(
    kind: str, head: dict[str, Any], pictures: list[str], partial: int, usage: dict[str, Any]
) -> AsyncIterator[str]:
    for picture in pictures:
        event = {"b64_json": picture, "created_at": int(time.time()), **head}
        for index in range(partial):
            yield _sse({"type": f"{kind}.partial_image", **event, "partial_image_index": index})
        yield _sse({"type": f"{kind}.completed", **event, "usage": usage})


def _sse(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _check(request: Request, fields: dict[str, Any]) -> None:
    service = request.app.state.service
    for name in fields:
        if name not in KNOWN and not service:
            raise Refusal(400, INVALID, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    if not fields.get("prompt"):
        raise Refusal(400, INVALID, "Missing required parameter: 'prompt'.", "missing_required_parameter", "prompt")
    model = fields.get("model") or GOOD[0]
    if model not in (("starter", "grown") if service else GOOD):
        raise Refusal(404, INVALID, f"The model '{model}' does not exist.", "model_not_found", "model")


def _open(name: str, data: bytes) -> Image.Image:
    with contextlib.suppress(UnidentifiedImageError):
        image = Image.open(io.BytesIO(data))
        if image.format in FORMATS.values():
            return image
    raise Refusal(400, INVALID, "Invalid image file.", "invalid_image_file", name)


def _size(fields: dict[str, Any], images: list[Image.Image]) -> tuple[int, int]:
    said = fields.get("size") or "auto"
    if said == "auto":
        return images[0].size if images else (SIDE, SIDE)
    width, height = (int(side) for side in said.split("x"))
    return width, height


def _draw(text: str, width: int, height: int, form: str) -> str:
    """Two colors out of the prompt, one above the other."""
    digest = hashlib.sha256(text.encode()).digest()
    small = Image.new("RGB", (1, 2), (digest[0], digest[1], digest[2]))
    small.putpixel((0, 1), (digest[3], digest[4], digest[5]))
    out = io.BytesIO()
    small.resize((width, height), Image.Resampling.BILINEAR).save(out, FORMATS[form])
    return base64.b64encode(out.getvalue()).decode()


ROUTES = [
    Route("/v1/images/generations", generate, methods=["POST"]),
    Route("/v1/images/edits", edit, methods=["POST"]),
    Route("/v1/images/variations", vary, methods=["POST"]),
]
