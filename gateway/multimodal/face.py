"""POST upload_face: a photo once; `face_id` in later calls puts the person into what they make."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from gateway.faces.sources import sent
from gateway.keys import Key, caller
from gateway.routes.faces import shown, takes
from shared.events import while_connected
from shared.wire.faces import FaceFields, FaceRequest
from shared.wire.multimodal import UploadedFace

router = APIRouter()


@router.post("/upload_face", openapi_extra=takes(FaceFields, FaceRequest))
async def upload_face(request: Request, key: Annotated[Key, Depends(caller)]) -> UploadedFace:
    """As POST /v1/faces: a form with the file `image`, or JSON with `image`, `image_url` or `file_id`."""
    async with sent(request, key, FaceFields, FaceRequest) as (said, photo), while_connected(request.receive):
        face = await request.app.state.faces.add(key.id, photo, said.index)
    return UploadedFace(face_id=face.id, **shown(face).model_dump())
