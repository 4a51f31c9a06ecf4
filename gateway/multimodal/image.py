"""POST generate_image: one picture, kept as a file of the key's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from gateway.faces.finishing import put_face
from gateway.generated import described, image_type, keep
from gateway.image_answers import admitted, pictures, whole
from gateway.images import ImageCall
from gateway.keys import Key, caller
from shared.errors import InvalidRequest
from shared.events import while_connected
from shared.wire.multimodal import Generated, GenerateImage

LEFT = {"width", "height"}
router = APIRouter()


@router.post("/generate_image")
async def generate_image(body: GenerateImage, request: Request, key: Annotated[Key, Depends(caller)]) -> Generated:
    """A picture from words, with an uploaded face in it if `face_id` names one."""
    sized = body.model_copy(update={"size": _size(body)})
    fields = sized.model_dump(exclude_none=True, exclude=LEFT)
    fields, finish = put_face(request.app.state.faces, key.id, sized, fields)
    images = await admitted(request, key)
    async with while_connected(request.receive):
        made = await whole(images, ImageCall("generations", fields), finish)
        data = pictures(made)[0]
        file = await keep(request.app.state.files, key.id, data, image_type(data), None)
    return Generated(model=made["model"], **described(request, file))


def _size(body: GenerateImage) -> str | None:
    """Raises InvalidRequest when a side is missing."""
    if body.width is None and body.height is None:
        return body.size
    for name in ("width", "height"):
        if getattr(body, name) is None:
            raise InvalidRequest("give width and height, or neither", param=name)
    return f"{body.width}x{body.height}"
