"""/api/v1/multimodal: what the models make in short calls, and the files that came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.audio import Audio
from gateway.faces.composing import offered
from gateway.generated import PURPOSE, described, file_id, find
from gateway.images import Images
from gateway.keys import Key, caller
from gateway.multimodal import audio, face, image
from gateway.names import merged
from gateway.routes.files import Files, send_file
from gateway.text import Text
from shared.errors import InvalidRequest, UnsupportedByProvider
from shared.wire.multimodal import (
    Capabilities,
    Capability,
    GeneratedDeleted,
    GeneratedFile,
    GeneratedList,
    Initialized,
    InitMultimodal,
)


@dataclass(frozen=True)
class Operation:
    modality: str
    router: APIRouter | None = None
    """None while nothing here can do it."""
    done_here: Callable[[], bool] | None = None
    """Whether the gateway can; None where a provider does it."""


OPERATIONS: Mapping[str, Operation] = {
    "generate_image": Operation("image", image.router),
    "generate_video": Operation("video"),
    "generate_audio": Operation("audio", audio.router),
    "ask_question": Operation("vision"),
    "understand_content": Operation("vision"),
    "upload_face": Operation("face", face.router, offered),
}
Caller = Annotated[Key, Depends(caller)]
Offered = dict[str, Text | Images | Audio]
router = APIRouter(prefix="/api/v1/multimodal", tags=["multimodal"])


async def offered_parts(request: Request) -> Offered:
    return request.app.state.adapter.offered


Parts = Annotated[Offered, Depends(offered_parts)]


@router.post("/init_multimodal")
async def init_multimodal(parts: Parts, body: InitMultimodal | None = None) -> Initialized:
    """Load the default models, so that the first request need not wait; says which they are."""
    wanted = (body and body.modalities) or [name for name, part in parts.items() if name != "text" and part.default]
    if unknown := [name for name in wanted if name not in parts]:
        raise InvalidRequest(
            f"{unknown[0][:40]!r} is not offered; {', '.join(parts) or 'nothing'} is", param="modalities"
        )
    loaded: dict[str, dict[str, Any]] = {}
    for name in wanted:
        model = await parts[name].models.load(await parts[name].resolve(None))
        loaded[name] = {**model, "id": merged(name, str(model["id"])), "provider": parts[name].provider}
    return Initialized(modalities=loaded)


@router.get("/capabilities")
async def capabilities(parts: Parts) -> Capabilities:
    """What can be asked for here, who would answer, and by which model."""
    return Capabilities(operations={name: _capability(row, parts) for name, row in OPERATIONS.items()})


@router.get("/list_generated")
async def list_generated(
    request: Request,
    key: Caller,
    files: Files,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> GeneratedList:
    found, more = files.list(key.id, after and file_id(after), limit, "desc", PURPOSE)
    data = [
        GeneratedFile(created_at=file.created, expires_at=file.expires, **described(request, file)) for file in found
    ]
    return GeneratedList(data=data, has_more=more)


@router.get("/download/{filename}", response_class=Response)
async def download(filename: str, key: Caller, files: Files) -> Response:
    return send_file(*files.open(key.id, find(files, key.id, filename).id))


@router.delete("/delete/{filename}")
async def delete(filename: str, key: Caller, files: Files) -> GeneratedDeleted:
    files.delete(key.id, find(files, key.id, filename).id)
    return GeneratedDeleted(filename=filename)


def _capability(row: Operation, parts: Offered) -> Capability:
    if row.done_here is not None:
        return Capability(modality=row.modality, offered=row.done_here())
    part = parts.get(row.modality)
    if row.router is None or part is None:
        return Capability(modality=row.modality, offered=False)
    model = part.default and merged(row.modality, part.default)
    return Capability(modality=row.modality, offered=True, provider=part.provider, model=model)


def _refuse(name: str) -> Any:
    async def refuse() -> None:
        raise UnsupportedByProvider(f"{name} is not offered here")

    return refuse


for _name, _row in OPERATIONS.items():
    if _row.router is not None:
        router.include_router(_row.router)
    else:
        router.add_api_route(f"/{_name}", _refuse(_name), methods=["POST"], operation_id=_name)
