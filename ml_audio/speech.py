"""Speech as it goes over the wire: files, streams of bytes, and server-sent events."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import numpy as np

from ml_audio.asked import Speech
from ml_audio.sound.encoding import check_rate, encode, open_encoder
from ml_audio.sound.joining import in_blocks
from shared.wire.audio import SpeechDelta, SpeechDone, SpeechRequest, SpeechUsage

if TYPE_CHECKING:
    from ml_audio.engine import Engine

DEFAULT_RATE_HZ = 24_000
"""OpenAI's; who asks for pcm is told no other."""
BLOCK_S = 0.5
"""What goes into one event: a player starts with the first, and base64 of seconds is a long line."""


def read_request(body: SpeechRequest) -> tuple[Speech, str]:
    """What the engine is asked for, and the format. Raises InvalidRequest for a rate that the format lacks."""
    format, rate_hz = body.response_format or "mp3", body.sample_rate or DEFAULT_RATE_HZ
    check_rate(format, rate_hz)
    wanted = Speech(
        body.input, body.model, body.voice_name, body.speed or 1.0, body.instructions or "", rate_hz, body.seed or 0
    )
    return wanted, format


async def whole_file(engine: "Engine", wanted: Speech, format: str) -> tuple[bytes, float]:
    """The file and its seconds."""
    async with aclosing(engine.speak(wanted)) as pieces:
        samples = np.concatenate([piece async for piece in pieces])
    return encode(samples, wanted.sample_rate_hz, format), len(samples) / wanted.sample_rate_hz


async def file_pieces(engine: "Engine", wanted: Speech, format: str) -> AsyncGenerator[bytes, None]:
    """The file as it is made."""
    encoder = open_encoder(format, wanted.sample_rate_hz)
    async with aclosing(engine.speak(wanted)) as pieces:
        async for piece in pieces:
            if data := encoder.feed(piece):
                yield data
    if data := encoder.finish():
        yield data


async def events(engine: "Engine", wanted: Speech, format: str) -> AsyncIterator[SpeechDelta | SpeechDone]:
    encoder = open_encoder(format, wanted.sample_rate_hz)
    frames = 0
    async with aclosing(engine.speak(wanted)) as pieces:
        async for piece in pieces:
            frames += len(piece)
            for block in in_blocks(piece, round(BLOCK_S * wanted.sample_rate_hz)):
                if data := encoder.feed(block):
                    yield SpeechDelta(audio=base64.b64encode(data).decode())
    if data := encoder.finish():
        yield SpeechDelta(audio=base64.b64encode(data).decode())
    yield SpeechDone(usage=SpeechUsage(characters=len(wanted.text), seconds=frames / wanted.sample_rate_hz))
