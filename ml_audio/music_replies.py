"""Music and effects as they go over the wire."""

from typing import TYPE_CHECKING, Any

import soxr

from ml_audio.asked import SoundAsked
from ml_audio.composing.composer import Piece
from ml_audio.sound.encoding import FORMATS, check_rate, encode
from shared.errors import InvalidRequest
from shared.wire.audio import SoundRequest

if TYPE_CHECKING:
    from ml_audio.engine import Engine

DURATION_S = 10.0
RATE_HZ = 44_100
OPUS_RATE_HZ = 48_000
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
MIDI = "audio/midi"


async def answer(engine: "Engine", body: SoundRequest) -> tuple[bytes, str, float]:
    """The file, its media type, its seconds. Raises InvalidRequest by the field's name."""
    format = body.response_format or "wav"
    effects = body.mode == "effects"
    if format == "midi" and effects:
        raise InvalidRequest("effects have no notes", param="response_format")
    rate_hz = body.sample_rate or (OPUS_RATE_HZ if format == "opus" else RATE_HZ)
    if format != "midi":
        check_rate(format, rate_hz)
    made = await engine.compose(SoundAsked(_piece(body), body.model, effects))
    seconds = len(made.samples) / made.sample_rate_hz
    if format == "midi":
        if made.midi is None:
            raise InvalidRequest("this model makes sound and writes no notes", param="response_format")
        return made.midi, MIDI, seconds
    samples = soxr.resample(made.samples, made.sample_rate_hz, rate_hz)
    return encode(samples, rate_hz, format), FORMATS[format].media_type, seconds


def _piece(body: SoundRequest) -> Piece:
    fields: dict[str, Any] = {"mood": body.mood, "style": body.style, "tempo_bpm": body.tempo, "meter": body.meter}
    if body.instruments:
        fields["instruments"] = tuple(body.instruments)
    if body.key:
        name, _, mode = body.key.replace("♯", "#").replace("♭", "b").rpartition(" ")
        if not name:
            name, mode = body.key[:-5], body.key[-5:]
        accidental = {"#": 1, "b": -1}.get(name[1:], 0)
        fields |= {"tonic": (STEPS[name[0].lower()] + accidental) % 12, "mode": mode.lower()}
    said = {name: value for name, value in fields.items() if value is not None}
    temperature = 1.0 if body.temperature is None else body.temperature
    midi = body.response_format == "midi"
    return Piece(body.prompt, body.duration or DURATION_S, body.seed or 0, temperature, said, midi)
