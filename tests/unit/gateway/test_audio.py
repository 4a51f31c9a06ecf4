"""Which model a request for sound is asked of."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from gateway.audio import AudioCall, AudioModel, ProviderAudio, Sound
from gateway.names import ModelNames


class Upstream:
    """Keeps what it was asked, and says nothing."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def open(self, call: AudioCall) -> Sound:
        self.asked.append(call.fields.get("model"))
        return Sound("audio/wav", self.nothing())

    async def nothing(self) -> AsyncGenerator[bytes, None]:
        for piece in ():
            yield piece


async def known() -> set[str]:
    return {"starter", "csm"}


@pytest.mark.parametrize(
    ("closed", "voice", "model", "asked"),
    [
        (True, "alloy", None, "starter"),
        (True, None, None, "starter"),
        (True, "voice_12345678", None, None),  # the service knows which model it was made for
        (True, {"id": "voice_12345678"}, None, None),
        (True, "voice_12345678", "csm", "csm"),
        (False, "voice_12345678", None, "starter"),  # OpenAI wants a model
    ],
)
async def test_speech_goes_to_the_default_unless_the_voice_has_a_model(
    closed: bool, voice: Any, model: str | None, asked: str | None
) -> None:
    upstream = Upstream()
    audio = ProviderAudio("custom", cast(AudioModel, upstream), ModelNames({}, known, closed), "starter")
    fields = {"input": "hello", "voice": voice, "model": model}
    await audio.open(AudioCall("speech", {name: value for name, value in fields.items() if value is not None}))
    assert upstream.asked == [asked]
