"""Images of an in-house service: fields go to it as the client wrote them, pictures as a form."""

from collections.abc import AsyncGenerator

from gateway.adapters.service import JSON, Service
from gateway.images import ImageCall
from gateway.settings import Settings
from shared.body import encode
from shared.http import Transport
from shared.multipart import write_form

GATEWAYS_OWN = ("face_id", "face_blend", "placement", "images")
"""Fields that mean nothing behind the gateway."""


class CustomImages(Service):
    async def answer(self, call: ImageCall) -> bytes:
        return await self.post(*_written(call))

    def stream(self, call: ImageCall) -> AsyncGenerator[bytes, None]:
        return self.pieces(*_written(call))


def _written(call: ImageCall) -> tuple[str, bytes, str]:
    """Path, body and content type."""
    path = f"/v1/images/{call.operation}"
    fields = {name: value for name, value in call.fields.items() if name not in GATEWAYS_OWN and value is not None}
    fields["response_format"] = "b64_json"  # the gateway gives addresses of its own
    if call.operation == "generations":
        return path, encode(fields), JSON
    name = "image" if len(call.images) == 1 else "image[]"
    pictures = [(name, image) for image in call.images] + ([("mask", call.mask)] if call.mask else [])
    files = ((field, picture.filename, picture.media_type, picture.data) for field, picture in pictures)
    body, content_type = write_form(fields, files)
    return path, body, content_type


def build_images(settings: Settings, transport: Transport | None) -> CustomImages | None:
    """None when ML_IMAGE_URL is not set: images are then not offered."""
    urls = settings.of("image").urls
    return CustomImages(urls, settings) if urls else None
