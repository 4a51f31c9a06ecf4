"""POST generate_audio: music, speech or effects, kept as a file of the key's."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from gateway.audio import Audio, AudioCall, whole
from gateway.generated import described, keep
from gateway.keys import Key, caller
from gateway.modality import SPENT
from gateway.routes.audio import admitted
from shared.events import while_connected
from shared.wire.multimodal import GenerateAudio, Generated

FORMAT = "mp3"
router = APIRouter()


@router.post("/generate_audio")
async def generate_audio(
    body: GenerateAudio,
    request: Request,
    key: Annotated[Key, Depends(caller)],
    audio: Annotated[Audio, Depends(admitted)],
) -> Generated:
    """A sound from words; with `mode: speech` the words are read out."""
    async with while_connected(request.receive):
        data, sound = await whole(audio, _call(body, request, key))
        media_type = sound.media_type.partition(";")[0]
        file = await keep(request.app.state.files, key.id, data, media_type, None)
    spent = SPENT.get()
    return Generated(model=spent.model if spent else "", **described(request, file))


def _call(body: GenerateAudio, request: Request, key: Key) -> AudioCall:
    fields: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"prompt", "mode"})
    fields.setdefault("response_format", FORMAT)
    if body.mode != "speech":
        return AudioCall("generate", {**fields, "prompt": body.prompt, "mode": body.mode})
    request.app.state.voices.check(body.voice, key.id)
    return AudioCall("speech", {**fields, "input": body.prompt})
