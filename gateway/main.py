"""The gateway's app: `python -m gateway.main`."""

import asyncio
import contextlib
import ipaddress
import logging
import sqlite3
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import ValidationError
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gateway.adapters import fallback, shadowed
from gateway.admission import Admission
from gateway.batches.desk import Batches
from gateway.batches.runner import BatchRunner
from gateway.conversation import Conversations
from gateway.db import connect
from gateway.designs import DesignStore
from gateway.evaluations.opening import open_evaluations
from gateway.faces.composing import Faces
from gateway.faces.pool import Pool
from gateway.faces.sources import PHOTO_LIMIT_BYTES
from gateway.faces.store import FaceStore
from gateway.image_requests import FORM_BYTES
from gateway.keys import CALLER, KeyStore
from gateway.limits import Limits, Room, open_buckets
from gateway.metrics import Metrics
from gateway.modality import Spent
from gateway.model_adapter import build_model_adapter
from gateway.prices import Prices
from gateway.responses.conversations import ConversationStore
from gateway.responses.running import Runs
from gateway.responses.store import ResponseStore
from gateway.routes import (
    audio,
    batches,
    chat,
    completions,
    conversations,
    custom_ai,
    designs,
    embeddings,
    evaluations,
    faces,
    files,
    fine_tuning,
    images,
    models,
    multimodal,
    ready,
    responses,
    shadow,
    stored_completions,
    uploads,
    usage,
)
from gateway.sessions import SessionStore
from gateway.settings import Settings
from gateway.shadow_store import ShadowStore
from gateway.signing import Signer
from gateway.stored import CompletionStore
from gateway.uploads import PART_LIMIT_BYTES, UploadStore
from gateway.usage import UsageStore
from gateway.voices import VoiceOwners
from shared.app import create_app
from shared.events import ClientLeft
from shared.files import FileStore
from shared.http import Transport
from shared.logs import configure_logging, note
from shared.multipart import FORM_LIMIT_BYTES

RAW_ROUTES = (chat.route, completions.route, embeddings.route)
ROUTERS = (
    models.router,
    files.router,
    uploads.router,
    faces.router,
    fine_tuning.router,
    images.router,
    audio.router,
    audio.sound_generation,
    batches.router,
    stored_completions.router,
    responses.router,
    conversations.router,
    designs.router,
    evaluations.router,
    shadow.router,
    custom_ai.router,
    multimodal.router,
    usage.router,
    ready.router,
)
EXPOSED = (
    *("x-request-id", "openai-processing-ms", "retry-after", "x-ratelimit-remaining-requests"),
    *(fallback.HEADER, shadowed.HEADER),
)
SWEEP_S = 60.0
log = logging.getLogger(__name__)


def create_gateway(settings: Settings, transport: Transport | None = None) -> FastAPI:
    """The app, with `adapter`, `db`, `keys`, `usage` and `settings` in its state.

    Raises ValueError when the settings name a provider or a key that cannot work. Tests bring a `transport`.
    """
    path = settings.data_dir / "gateway.db"
    adapter = build_model_adapter(settings, transport)
    store = UsageStore(lambda: connect(path), Prices(settings.prices))
    keys = _open_keys(settings, path)
    limits = Limits(open_buckets(settings.redis), settings.limit.model_dump(), settings.max_in_flight)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        state = app.state
        forever = store.flush_forever(), _sweep(app), state.evaluations.run_forever(), state.batch_runner.run_forever()
        tasks = [asyncio.create_task(work) for work in forever]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await state.evaluations.texts.close()
            await state.runs.close()
            await state.faces.pool.close()
            await store.flush()
            await limits.buckets.close()
            await adapter.close()

    app = create_app(
        "Gateway",
        routes=RAW_ROUTES,
        routers=ROUTERS,
        lifespan=lifespan,
        middleware=[Middleware(Admission, keys=keys, limits=limits)],
        body_limit_bytes=settings.body_limit_bytes,
        streamed_limits=_streamed_limits(settings),
    )
    _allow_front_ends(app, settings)
    app.state.settings, app.state.adapter, app.state.usage, app.state.keys = settings, adapter, store, keys
    app.state.limits, app.state.picture_room = limits, Room(images.MOST_AT_ONCE)
    _open_stores(app, path)
    app.add_exception_handler(ClientLeft, _nobody_there)
    metrics = Metrics(app.state.registry)

    async def account(spent: Spent) -> None:
        key = CALLER.get()
        store.record(key.id, spent)
        metrics.count(spent)
        note(model=spent.model, prompt_tokens=spent.prompt_tokens, completion_tokens=spent.completion_tokens)
        await limits.charge(key, spent.tokens, images=spent.images, seconds=spent.seconds)

    for part in adapter.offered.values():
        part.account_to(account)
    app.state.evaluations = open_evaluations(app, account, transport)
    app.state.batch_runner = BatchRunner(app.state.batches, adapter.offered_text, keys.find)
    return app


def _streamed_limits(settings: Settings) -> dict[str, int]:
    """Paths that take files, and how long their bodies may be."""
    files = {
        "/v1/files": settings.file_limit_bytes,
        "/v1/uploads/[^/]+/parts": PART_LIMIT_BYTES,
        "/v1/faces(/compose)?|/api/v1/multimodal/upload_face": PHOTO_LIMIT_BYTES,
        "/v1/images/(edits|variations)": FORM_BYTES,
        "/v1/audio/(transcriptions|translations|voices)": audio.AUDIO_BYTES,
    }
    return {path: most + FORM_LIMIT_BYTES for path, most in files.items()}


def _allow_front_ends(app: FastAPI, settings: Settings) -> None:
    """Of other origins. The outermost layer, so that errors carry its headers too."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )


def _open_keys(settings: Settings, path: Path) -> KeyStore:
    keys = KeyStore(connect(path))
    if settings.gateway_api_key is not None:
        keys.keep(settings.gateway_api_key.get_secret_value())
    return keys


def _open_stores(app: FastAPI, path: Path) -> None:
    """What keys own, each store with its tables in the SQLite file at `path`."""
    state, folder = app.state, path.parent
    state.db = connect(path)
    state.signer = Signer(state.db)
    state.designs = DesignStore(state.db)
    state.files = FileStore(folder / "files", state.db)
    state.uploads = UploadStore(folder / "uploads", state.db, state.files)
    state.faces = Faces(FaceStore(folder / "faces", state.db), Pool())
    state.voices = VoiceOwners(state.db)
    state.stored_completions = CompletionStore(state.db)
    state.conversation_store = ConversationStore(state.db)
    state.responses = ResponseStore(state.db, state.conversation_store)
    state.runs = Runs(state.responses)
    state.shadow = ShadowStore(path)
    state.conversations = Conversations(SessionStore(state.db))
    # its own connection: batches are worked on in threads
    state.batches = Batches(state.settings, FileStore(folder / "files", connect(path)))


async def _sweep(app: FastAPI) -> None:
    """Let go of what has expired, for as long as the gateway runs."""
    while True:
        try:
            app.state.files.expire()
            app.state.uploads.expire()
        except (OSError, sqlite3.Error):  # such as a locked database: the next round will do it
            log.exception("the sweep of expired files failed")
        await asyncio.sleep(SWEEP_S)


async def _nobody_there(request: Request, error: Exception) -> Response:
    """The client left a route that FastAPI answers; nobody reads this."""
    note(client_left=True)
    return Response(status_code=499)


def check_host(host: str, keys: KeyStore) -> None:
    """While there is no key, only this machine may reach the gateway. Raises ValueError."""
    if keys.any:
        return
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ValueError(
            f"GATEWAY_HOST={host} would be open to everyone: make a key first with "
            "`python -m gateway.keys create NAME`, or use 127.0.0.1"
        )
    log.warning("no API key exists: requests are answered without one, on %s only", host)


def main() -> int:
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        app = create_gateway(settings)
        check_host(settings.gateway_host, app.state.keys)
    except (ValueError, ValidationError) as error:
        print(f"the gateway cannot start: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        app,
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=20,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
