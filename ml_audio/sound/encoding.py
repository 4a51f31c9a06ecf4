"""Sound as bytes: wav, mp3, flac, opus (in Ogg), aac (ADTS) and pcm, whole or as it is made."""

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import av
import numpy as np

from ml_audio.sound.reading import Samples
from shared.errors import InvalidRequest

OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
MPEG_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
UNKNOWN_BYTES = 0xFFFFFFFF
"""The size in a wav header that goes out before its sound is made."""


class Encoder(Protocol):
    """Feed it samples as they come, (T,) or (T, 2); what it returns may lag behind."""

    def feed(self, samples: Samples) -> bytes: ...

    def finish(self) -> bytes: ...


@dataclass(frozen=True)
class Format:
    media_type: str
    stream: Callable[[int, int], Encoder]
    """(sample_rate_hz, channels) -> what encodes a stream"""
    whole: Callable[[Samples, int, int], bytes]
    """(samples, sample_rate_hz, channels) -> a file whose header says how long it is"""
    rates_hz: tuple[int, ...] | None = None
    """None: any."""


def encode(samples: Samples, sample_rate_hz: int, format: str) -> bytes:
    """A whole file. Raises InvalidRequest for a rate that the format lacks."""
    check_rate(format, sample_rate_hz)
    return FORMATS[format].whole(samples, sample_rate_hz, 1 if samples.ndim == 1 else samples.shape[1])


def open_encoder(format: str, sample_rate_hz: int, channels: int = 1) -> Encoder:
    """Raises InvalidRequest for a rate that the format lacks."""
    check_rate(format, sample_rate_hz)
    return FORMATS[format].stream(sample_rate_hz, channels)


def check_rate(format: str, sample_rate_hz: int) -> None:
    able = FORMATS[format].rates_hz
    if able and sample_rate_hz not in able:
        raise InvalidRequest(
            f"{format} has no {sample_rate_hz} Hz; there is {', '.join(map(str, able))}", param="sample_rate"
        )


def pcm(samples: Samples) -> bytes:
    """16 bits, little-endian; channels side by side."""
    return (samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes()


def wav_header(sample_rate_hz: int, channels: int, size_bytes: int) -> bytes:
    """http://soundfile.sapp.org/doc/WaveFormat/"""
    riff = min(UNKNOWN_BYTES, size_bytes + 36)
    frame = 2 * channels
    about = struct.pack("<IHHIIHH", 16, 1, channels, sample_rate_hz, sample_rate_hz * frame, frame, 16)
    return struct.pack("<4sI4s4s", b"RIFF", riff, b"WAVE", b"fmt ") + about + struct.pack("<4sI", b"data", size_bytes)


@dataclass
class Pcm:
    """Samples as they are, behind what opens the file."""

    opening: bytes = b""

    def feed(self, samples: Samples) -> bytes:
        opening, self.opening = self.opening, b""
        return opening + pcm(samples)

    def finish(self) -> bytes:
        return self.opening


class Outlet(io.RawIOBase):
    """A file that gives away what was written, and which nobody can go back in."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.waiting)
        self.waiting.clear()
        return taken


@dataclass
class Codec:
    """One of FFmpeg's encoders in one of its containers."""

    container: str
    name: str
    options: Mapping[str, str]
    sample_rate_hz: int
    channels: int
    file: Any = field(default_factory=Outlet)

    def __post_init__(self) -> None:
        self.layout = "mono" if self.channels == 1 else "stereo"
        self.fed = 0
        self.output: Any = av.open(self.file, "w", format=self.container, options=dict(self.options))
        self.stream = self.output.add_stream(self.name, rate=self.sample_rate_hz, layout=self.layout)

    def feed(self, samples: Samples) -> bytes:
        if len(samples):
            planes = np.ascontiguousarray(np.atleast_2d(samples.T), np.float32)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self.layout)
            frame.sample_rate, frame.pts = self.sample_rate_hz, self.fed
            self.fed += len(samples)
            self._mux(frame)
        return self._take()

    def finish(self) -> bytes:
        self._mux(None)
        self.output.close()
        return self._take()

    def _mux(self, frame: Any) -> None:
        for packet in self.stream.encode(frame):
            self.output.mux(packet)

    def _take(self) -> bytes:
        return self.file.take() if isinstance(self.file, Outlet) else b""


def _whole_wav(samples: Samples, sample_rate_hz: int, channels: int) -> bytes:
    return wav_header(sample_rate_hz, channels, 2 * samples.size) + pcm(samples)


def _codec(media_type: str, container: str, name: str, rates_hz: tuple[int, ...] | None, **streamed: str) -> Format:
    """`streamed`: FFmpeg's options for a file that goes out before its end is known."""

    def whole(samples: Samples, sample_rate_hz: int, channels: int) -> bytes:
        file = io.BytesIO()
        codec = Codec(container, name, {}, sample_rate_hz, channels, file)
        codec.feed(samples)
        codec.finish()
        return file.getvalue()

    return Format(media_type, partial(Codec, container, name, streamed), whole, rates_hz)


FORMATS: Mapping[str, Format] = {
    "wav": Format("audio/wav", lambda rate, channels: Pcm(wav_header(rate, channels, UNKNOWN_BYTES)), _whole_wav),
    "mp3": _codec("audio/mpeg", "mp3", "libmp3lame", MPEG_RATES_HZ, write_xing="0"),
    "flac": _codec("audio/flac", "flac", "flac", None),
    "opus": _codec("audio/ogg", "ogg", "libopus", OPUS_RATES_HZ, page_duration="100000"),
    "aac": _codec("audio/aac", "adts", "aac", MPEG_RATES_HZ),
    "pcm": Format("audio/pcm", lambda rate, channels: Pcm(), lambda samples, rate, channels: pcm(samples)),
}
