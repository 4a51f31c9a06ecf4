"""The model that a key works with, in short calls: choose it, look at it, let it write, chat with it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from gateway.conversation import Conversations, Said, say
from gateway.keys import Key, caller
from gateway.routes.files import Files
from gateway.routes.fine_tuning import Offered as OfferedTuning
from gateway.routes.fine_tuning import Who
from gateway.text import Text
from shared.body import encode
from shared.errors import InvalidRequest, NotFound, UnsupportedByProvider
from shared.events import while_connected
from shared.files import FileStore
from shared.wire.custom_ai import Chat, Checkpoint, Generate, Generated, InitModel, Replied, Size, Train
from shared.wire.fine_tuning import FineTuningJob
from shared.wire.models import ModelVersion

SIZES: dict[Size, tuple[float, float]] = {"small": (0, 20e6), "medium": (20e6, 120e6), "large": (120e6, float("inf"))}
"""size -> parameters from, to; around the presets of the text service."""


async def offered_text(request: Request) -> Text:
    return request.app.state.adapter.offered_text()


async def conversations(request: Request) -> Conversations:
    return request.app.state.conversations


Caller = Annotated[Key, Depends(caller)]
Offered = Annotated[Text, Depends(offered_text)]
Chats = Annotated[Conversations, Depends(conversations)]
Info = dict[str, Any]

router = APIRouter(prefix="/api/v1/custom-ai", tags=["custom-ai"])


@router.post("/init_model")
async def init_model(key: Caller, text: Offered, chats: Chats, body: InitModel | None = None) -> Info:
    """Load a model; this key's calls use it from now on. Answers what `model_info` answers."""
    body = body or InitModel()
    if body.model is None and body.size:
        name = await _newest(text, body.size)
    else:
        name = await text.resolve(body.model or chats.store.model(key.id))
        if body.size and _size(await text.models.model(name)) != body.size:
            raise InvalidRequest(f"{name} is not a {body.size} model; leave one of the two out", param="size")
    info = await text.models.load(name)
    chats.store.set_model(key.id, name)
    return {**info, "provider": text.provider}


@router.get("/model_info")
async def model_info(key: Caller, text: Offered, chats: Chats) -> Info:
    name = await text.resolve(chats.store.model(key.id))
    return {**await text.models.model(name), "provider": text.provider}


@router.post("/load_checkpoint")
async def load_checkpoint(body: Checkpoint, key: Caller, text: Offered, chats: Chats) -> Info:
    """Load a published model; this key's calls use it from now on. Answers what `model_info` answers."""
    with _renamed(model="name"):
        name = await text.resolve(body.name)
        info = await text.models.load(name)
    chats.store.set_model(key.id, name)
    return {**info, "provider": text.provider}


@router.post("/save_checkpoint", response_model=None, responses={200: {"model": ModelVersion}})
async def save_checkpoint(body: Checkpoint, key: Caller, text: Offered, chats: Chats) -> Info:
    """Publish the model that this key works with under a name of its own."""
    return await text.models.save(await text.resolve(chats.store.model(key.id)), body.name)


@router.post("/train", response_model=None, responses={200: {"model": FineTuningJob}})
async def train(
    request: Request, body: Train, who: Who, tuning: OfferedTuning, text: Offered, chats: Chats, files: Files
) -> Info:
    """A job that trains the model that this key works with; follow it at /v1/fine_tuning/jobs."""
    model = await text.resolve(body.model or chats.store.model(who.key.id))
    file_id = body.file_id or await _uploaded(files, who.key.id, body.dataset or [], request)
    asked = {"training_file": file_id, "model": model, "suffix": body.suffix, "hyperparameters": body.hyperparameters}
    with _renamed(training_file="file_id"):
        return await tuning.create(who, {name: value for name, value in asked.items() if value})


async def _uploaded(files: FileStore, key_id: str, rows: list[Info], request: Request) -> str:
    """Records of a request as a file of the key's."""
    with files.draft(request.app.state.settings.file_limit_bytes, "dataset") as draft:
        for row in rows:
            draft.write(encode(row, "dataset") + b"\n")
        await asyncio.to_thread(draft.seal)
        return files.put(key_id, draft, "dataset.jsonl", "fine-tune", "application/jsonl", None).id


@router.post("/generate")
async def generate(request: Request, body: Generate, key: Caller, text: Offered, chats: Chats) -> Generated:
    """The answer to a prompt, without a memory."""
    name = await text.resolve(chats.store.model(key.id))
    limit = {"max_completion_tokens": body.max_length} if body.max_length else {}
    with _field("prompt", "max_length"):
        async with while_connected(request.receive):
            said = await say(text, name, [{"role": "user", "content": body.prompt}], **limit)
    return Generated(**_fields(said))


@router.post("/chat")
async def chat(request: Request, body: Chat, key: Caller, text: Offered, chats: Chats) -> Replied:
    """The answer to a message and what was said before in its session; without a session a new one begins."""
    name = await text.resolve(chats.store.model(key.id))
    with _field("message"):
        async with while_connected(request.receive):
            session_id, said = await chats.reply(text, name, key.id, body.session_id, body.message)
    return Replied(session_id=session_id, **_fields(said))


def _fields(said: Said) -> dict[str, Any]:
    told = {"text": said.text, "model": said.model, "provider": said.provider}
    return {**told, "finish_reason": said.finish_reason, "usage": said.usage}


@contextmanager
def _renamed(**fields: str) -> Generator[None]:
    """The same where one field became one; a hyperparameter is a field of the body itself."""
    try:
        yield
    except (InvalidRequest, NotFound) as error:
        error.param = fields.get(error.param or "", (error.param or "").removeprefix("hyperparameters.") or None)
        raise


@contextmanager
def _field(words: str, limit: str | None = None) -> Generator[None]:
    """A refusal names the field that the caller sent, not the one that the provider got."""
    try:
        yield
    except InvalidRequest as error:
        error.param = limit if limit and "token" in (error.param or "") else words
        raise


def _size(info: Info) -> Size | None:
    parameters = info.get("parameters")
    if not isinstance(parameters, int | float):
        raise UnsupportedByProvider("this provider does not tell the size of its models: name one", param="size")
    return next((size for size, (least, most) in SIZES.items() if least <= parameters < most), None)


async def _newest(text: Text, size: Size) -> str:
    """The newest model of `size`. Raises NotFound, or UnsupportedByProvider where sizes are not told."""
    found = sorted(await text.models.models(), key=lambda model: model.get("created") or 0, reverse=True)
    for model in found:
        if _size(await text.models.model(model["id"])) == size:
            return model["id"]
    raise NotFound(f"there is no {size} model; train one, or name another", code="model_not_found", param="size")
