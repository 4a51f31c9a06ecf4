"""The one place where a FastAPI app is put together."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route, compile_path

from shared.asgi import App, Receive, Scope, Send
from shared.body import ReadBody
from shared.errors import BY_STATUS, InvalidRequest, NotFound, ServiceError, error_body
from shared.events import send_bytes, send_events
from shared.instrument import Instrument, error_headers
from shared.multipart import Form
from shared.openapi import complete

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own looks into the environment on every request; `shared.instrument` has our numbers."""
BODY_LIMIT_BYTES = 8 << 20


def create_app(
    title: str,
    *,
    routers: Iterable[APIRouter] = (),
    routes: Sequence["RawRoute"] = (),
    lifespan: Lifespan | None = None,
    middleware: Sequence[Middleware] = (),
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    streamed_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """An app with our health check, metrics, request ids and errors; the caller brings routes and state.

    `routes` are raw ones, matched first; `middleware` runs between the instruments and the reading of the body;
    `streamed_limits` (`shared.body.ReadBody`) are for paths that take files.
    `app.state.registry` is the app's Prometheus registry.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    layers = [
        Middleware(Instrument, registry=registry),
        *middleware,
        Middleware(ReadBody, limit_bytes=body_limit_bytes, streamed_limits=streamed_limits),
        Middleware(RawDispatch, routes=routes),
    ]
    app = FastAPI(title=title, lifespan=lifespan, middleware=layers, telemetry=NO_TELEMETRY)
    app.state.registry = registry
    for kind in (ServiceError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _render)
    app.router.routes[:0] = routes
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        return app.openapi_schema if app.openapi_schema else complete(describe(), routes)

    app.openapi = openapi
    app.add_api_route("/health", _health, tags=["health"])
    app.add_api_route("/metrics", _metrics, tags=["health"], response_class=PlainTextResponse)
    for router in routers:
        app.include_router(router)
    return app


class RawRoute(Route):
    """A POST route whose `endpoint` is plain ASGI, for the hot paths; /openapi.json describes it by wire types."""

    def __init__(
        self, path: str, endpoint: App, *, summary: str, tag: str, request: type[BaseModel], answer: type[BaseModel]
    ) -> None:
        super().__init__(path, endpoint, methods=["POST"])
        self.summary, self.tag, self.request, self.answer = summary, tag, request, answer


class RawDispatch:
    """Takes raw routes' requests past FastAPI's own layers and router, which cost 0.1 ms."""

    def __init__(self, app: App, routes: Sequence[RawRoute]) -> None:
        self.app = app
        self.routes = {route.path: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            await self.app(scope, receive, send)
        else:
            scope["route"] = route
            await route.endpoint(scope, receive, send)


class EventStream(Response):
    """`chunks` as server-sent events by the rules of `shared.events`, closed by [DONE]."""

    def __init__(self, chunks: AsyncIterator[BaseModel | bytes]) -> None:
        super().__init__(media_type="text/event-stream")
        self.chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(scope, receive, send, self._events())

    async def _events(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(cast(AsyncGenerator[BaseModel | bytes, None], self.chunks)) as chunks:
            async for chunk in chunks:
                body = chunk if isinstance(chunk, bytes) else chunk.model_dump_json().encode()
                yield b"data: " + body + b"\n\n"
        yield b"data: [DONE]\n\n"


def event_stream(chunks: AsyncIterator[BaseModel | bytes]) -> Response:
    """Answer with `chunks`, an async generator of wire models or of their JSON.

    It is closed as soon as the client leaves. A ServiceError before the first chunk keeps its status.
    """
    return EventStream(chunks)


class ByteStream(Response):
    """`pieces` of a file, sent as they are made."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(media_type=media_type, headers=dict(headers))
        del self.headers["content-length"]
        self.pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_bytes(scope, receive, send, self.pieces, self.raw_headers)


def byte_stream(
    pieces: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a file as it is made. `pieces` is closed as soon as the client leaves; a ServiceError before the
    first one keeps its status."""
    return ByteStream(pieces, media_type, headers or {})


async def _health() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


async def _metrics(request: Request) -> Response:
    """Prometheus text format."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


async def _render(request: Request, error: Exception) -> JSONResponse:
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        headers.update(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request) or headers.get("Allow", "")
        error = _from_http(request, error)
    elif isinstance(error, RequestValidationError):
        error = from_validation(error.errors(), error.body)
    assert isinstance(error, ServiceError)
    status = error.status if not isinstance(error, _OtherStatus) else error.sent_status
    return JSONResponse(error_body(error), status_code=status, headers=headers | error_headers(error))


def _allowed(request: Request) -> str:
    """Every method of this path; Starlette names those of the first route that has it."""
    found: set[str] = set()
    for template, methods in request.app.openapi()["paths"].items():
        if compile_path(template)[0].match(request.url.path):
            found |= set(methods)
    return ", ".join(sorted(found)).upper()


class _OtherStatus(InvalidRequest):
    """A status of Starlette's for which we have no error of our own, such as 405."""

    sent_status = 405


def _from_http(request: Request, error: HTTPException) -> ServiceError:
    where = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return NotFound(f"there is no {where}", code="unknown_url")
    if error.status_code == 405:
        return _OtherStatus(f"{where}: the method is not allowed here", code="method_not_allowed")
    kind = BY_STATUS.get(error.status_code, InvalidRequest if error.status_code < 500 else ServiceError)
    return kind(str(error.detail))


Fields = TypeVar("Fields", bound=BaseModel)


def read_fields(kind: type[Fields], form: Form) -> Fields:
    """What a form says beside its files. Raises InvalidRequest that names the field."""
    said = {**form.fields, **form.lists}
    try:
        return kind.model_validate(said, strict=False)  # all are strings, or lists of them
    except ValidationError as error:
        raise from_validation(error.errors(), said) from None


def from_validation(errors: Sequence[Any], body: object) -> InvalidRequest:
    """The first of pydantic's complaints that goes deepest, with the field's path in OpenAI's spelling."""
    paths = [_path(error["loc"], body, missing=error.get("type") == "missing") for error in errors]
    deepest = max(range(len(paths)), key=lambda i: len(paths[i]))
    param = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in paths[deepest]).lstrip(".")
    message = str(errors[deepest]["msg"]).removeprefix("Value error, ")
    return InvalidRequest(f"{param}: {message}" if param else message, param=param or None)


def _path(loc: Sequence[str | int], body: object, missing: bool) -> list[str | int]:
    """`loc` without what is not in the body: pydantic puts the names of a union's branches into it."""
    if loc and loc[0] in ("path", "query", "header", "cookie"):
        return list(loc[1:])
    steps = loc[1:] if loc and loc[0] == "body" else loc
    path: list[str | int] = []
    here: Any = body
    for i, step in enumerate(steps):
        if isinstance(here, dict) and step in here:
            here = cast(dict[Any, Any], here)[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(cast(list[Any], here)):
            here = cast(list[Any], here)[step]
        elif not (missing and isinstance(here, dict) and i == len(steps) - 1):  # a missing field is the last step
            continue
        path.append(step)
    return path
