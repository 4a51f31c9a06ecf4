"""An upstream of images: the prompt says what it does. One app, behind a real server (custom) or respx (openai)."""

import asyncio
import base64
import io
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import respx
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.contract.upstream import NO_MODEL, REFUSALS

IMAGE_MODELS = {"custom": "starter", "openai": "gpt-image-1-mini"}
SHOWN = {"custom": "starter-image", "openai": "gpt-image-1-mini"}
"""What the gateway calls them."""
USAGE = {
    "input_tokens": 9,
    "output_tokens": 272,
    "total_tokens": 281,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
}


def picture(
    color: Any = (200, 30, 30), size: tuple[int, int] = (16, 12), mode: str = "RGB", kind: str = "PNG", **how: Any
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind, **how)
    return out.getvalue()


@dataclass
class ImageScript:
    """What the upstream does, and what it saw: path, fields, and files as (field, name, type, bytes)."""

    provider: str
    seen: list[tuple[str, dict[str, Any], list[tuple[str, str, str, bytes]]]] = field(
        default_factory=list[tuple[str, dict[str, Any], list[tuple[str, str, str, bytes]]]]
    )
    always: str = ""
    left: int = 0
    size: tuple[int, int] = (16, 12)
    """Of its pictures, whatever is asked for."""

    def app(self) -> Starlette:
        routes = [
            Route(f"/v1/images/{name}", self.make, methods=["POST"]) for name in ("generations", "edits", "variations")
        ]
        more = [
            Route("/v1/models", self.list_models),
            Route("/v1/models/{name}", self.one_model),
            Route("/v1/models/{name}/load", self.one_model, methods=["POST"]),
        ]
        return Starlette(routes=[*routes, *more, Route("/ready", lambda _: Response())])

    async def list_models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def one_model(self, request: Request) -> Response:
        known = request.path_params["name"] == IMAGE_MODELS[self.provider]
        return JSONResponse(self._model()) if known else JSONResponse({"error": NO_MODEL}, 404)

    def _model(self) -> dict[str, Any]:
        return {"id": IMAGE_MODELS[self.provider], "object": "model", "created": 1, "owned_by": "them"}

    async def make(self, request: Request) -> Response:
        fields, files = await _read(request)
        self.seen.append((request.url.path.rsplit("/", 1)[1], fields, files))
        said = self.always or fields.get("prompt", "")
        if fields.get("model") != IMAGE_MODELS[self.provider]:
            return JSONResponse({"error": NO_MODEL}, 404)
        if said in REFUSALS:
            status, headers, error = REFUSALS[said]
            return JSONResponse({"error": error}, status, headers)
        if said == "html":
            return Response("<html>", media_type="text/html")
        if said == "no picture":
            return JSONResponse({"created": 1, "data": []})
        if said == "hang":
            await asyncio.sleep(5)
        if fields.get("stream") in (True, "true"):
            return StreamingResponse(self._events(request, fields, said), media_type="text/event-stream")
        made = [
            {"b64_json": base64.b64encode(picture((n, 0, 0), self.size)).decode()}
            for n in range(int(fields.get("n") or 1))
        ]
        return JSONResponse({"created": 1, "data": made, "usage": USAGE})

    async def _events(self, request: Request, fields: dict[str, Any], said: str) -> Any:
        kind = "image_edit" if request.url.path.endswith("edits") else "image_generation"
        head = {
            "created_at": 1,
            "size": "{}x{}".format(*self.size),
            "quality": "auto",
            "background": "opaque",
            "output_format": "png",
        }
        b64 = base64.b64encode(picture(size=self.size)).decode()
        if said == "error first":
            yield b'data: {"error": {"message": "no memory", "type": "server_error", "code": 507, "param": null}}\n\n'
            return
        for index in range(int(fields.get("partial_images") or 0)):
            yield _sse({"type": f"{kind}.partial_image", "b64_json": b64, "partial_image_index": index, **head})
        if said == "cut":
            return
        if said == "error later":
            yield b'data: {"error": {"message": "lost", "type": "server_error", "code": null, "param": null}}\n\n'
            return
        if said == "silence":
            try:
                await asyncio.sleep(30)
            finally:
                self.left += 1
        event = _sse({"type": f"{kind}.completed", "b64_json": b64, "usage": USAGE, **head})
        for start in range(0, len(event), 7):
            yield event[start : start + 7]

    def router(self) -> respx.Router:
        """OpenAI as respx plays it, by the same app."""
        inner = httpx.ASGITransport(self.app())

        async def answer(request: httpx.Request) -> httpx.Response:
            try:
                async with asyncio.timeout(0.4 if self.always == "hang" else 20):
                    found = await inner.handle_async_request(request)
            except TimeoutError:
                raise httpx.ReadTimeout("silence", request=request) from None
            return httpx.Response(found.status_code, headers=found.headers, content=await found.aread())

        fake = respx.Router(assert_all_called=False)
        fake.route(host="api.openai.test").mock(side_effect=answer)
        return fake


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


async def _read(request: Request) -> tuple[dict[str, Any], list[tuple[str, str, str, bytes]]]:
    if "json" in request.headers["content-type"]:
        return await request.json(), []
    fields: dict[str, Any] = {}
    files: list[tuple[str, str, str, bytes]] = []
    async with request.form() as form:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields[name] = value
            else:
                files.append((name, value.filename or "", value.content_type or "", await value.read()))
    return fields, files
