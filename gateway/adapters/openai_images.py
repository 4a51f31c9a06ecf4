"""OpenAI's images through its own SDK; answers and streams are passed on as they come, unparsed."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from openai.types import image_edit_params, image_generate_params

from gateway.adapters.openai import OpenAIModels, own_headers, translated
from gateway.images import ImageCall, Operation, Picture
from gateway.settings import Settings
from shared.errors import UnsupportedByProvider
from shared.http import Transport

KNOWN: Mapping[Operation, set[str]] = {
    "generations": {*image_generate_params.ImageGenerateParamsBase.__annotations__, "stream"},
    "edits": {*image_edit_params.ImageEditParamsBase.__annotations__, "stream"},
}
DROPPED = ("response_format", "images", "image", "mask")
"""What OpenAI's models refuse, since they always answer in base64; and what goes as files."""
OURS = ("seed", "steps", "num_inference_steps", "guidance", "guidance_scale", "negative_prompt", "strength", "style")
"""What changes the picture, and no model of OpenAI's takes."""
OLD_STYLES = ("vivid", "natural")


class OpenAIImages(OpenAIModels):
    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        super().__init__(settings, transport)
        images: Any = self.client.images.with_streaming_response
        self.calls: Mapping[Operation, Any] = {
            "generations": images.generate,
            "edits": images.edit,
        }

    async def answer(self, call: ImageCall) -> bytes:
        with translated():
            async with self._create(call) as reply:
                return await reply.read()

    async def stream(self, call: ImageCall) -> AsyncGenerator[bytes, None]:
        with translated():
            async with self._create(call) as reply:
                async for piece in reply.iter_bytes():
                    yield piece

    def _create(self, call: ImageCall) -> Any:
        """The client's fields go to OpenAI as they are and are judged there."""
        if call.operation not in self.calls:
            raise UnsupportedByProvider("OpenAI makes no variations any more; use edits with a prompt")
        _refuse_ours(call.fields)
        known = KNOWN[call.operation]
        body = {
            name: value
            for name, value in call.fields.items()
            if name in known and name not in DROPPED and value is not None
        }
        named: dict[str, Any] = {"prompt": body.pop("prompt")} if "prompt" in body else {}
        if call.operation == "edits":
            named["image"] = [_file(image) for image in call.images]
        if call.mask:
            named["mask"] = _file(call.mask)
        return self.calls[call.operation](**named, extra_body=body, extra_headers=own_headers())


def _file(picture: Picture) -> tuple[str, bytes, str]:
    return picture.filename, picture.data, picture.media_type


def _refuse_ours(fields: Mapping[str, Any]) -> None:
    for name in OURS:
        value = fields.get(name)
        if value is not None and not (name == "style" and value in OLD_STYLES):
            raise UnsupportedByProvider(f"OpenAI's models take no `{name}`; leave it out", param=name)


def build_images(settings: Settings, transport: Transport | None) -> OpenAIImages:
    """Raises ValueError without a key."""
    return OpenAIImages(settings, transport)
