"""A recording as it was sent, in blocks of mono samples: header first, so that nothing large is decoded in vain.

FFmpeg (through PyAV) decodes. The format is told by the first bytes and named to it: its own guess would also open
playlists, which name other files.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import soxr
from av.error import FFmpegError
from numpy.typing import NDArray

from shared.errors import InvalidRequest, TooLarge

Samples = NDArray[np.float32]
"""(T,) in [-1, 1]"""
RATES_HZ = (2_000, 768_000)
MOST_CHANNELS = 64
OPENINGS = {
    b"RIFF": "wav", b"RF64": "wav", b"fLaC": "flac", b"OggS": "ogg", b"FORM": "aiff", b".snd": "au", b"caff": "caf",
    b"\x1aE\xdf\xa3": "matroska",
}  # fmt: skip
"""The first four bytes of a file -> FFmpeg's name for its format; webm is matroska."""
READABLE = "wav, mp3, flac, ogg, opus, aac, m4a, mp4, webm, aiff, au, caf"


@dataclass(frozen=True)
class Recording:
    """An open file whose header was checked; `blocks` reads it once, from the beginning."""

    container: Any
    stream: Any
    header_s: float | None
    """How long the header says that it is; None where only the end of the file tells."""
    longest_s: float
    param: str

    def blocks(self, sample_rate_hz: int) -> Iterator[Samples]:
        """Mono blocks at `sample_rate_hz`. InvalidRequest for broken data, TooLarge past the longest."""
        rate_hz = self.stream.rate
        resample = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, dtype="float32", quality="HQ")
        frames = 0
        for block in self._decoded(rate_hz):
            frames += len(block)
            if frames > self.longest_s * rate_hz:
                raise _too_long(self.longest_s, self.param)
            # a float file may hold anything
            yield resample.resample_chunk(np.nan_to_num(block, posinf=0.0, neginf=0.0).clip(-1, 1))
        if not frames:
            raise _unreadable("there is no sound in it", self.param)
        yield resample.resample_chunk(np.zeros(0, np.float32), last=True)

    def _decoded(self, rate_hz: int) -> Iterator[Samples]:
        planar = av.AudioResampler(format="fltp", rate=rate_hz)
        try:
            for frame in self.container.decode(self.stream):
                for part in planar.resample(frame):
                    yield part.to_ndarray().mean(axis=0)  # FFmpeg's own mix of two channels is 3 dB too loud
        except (FFmpegError, ValueError) as error:
            raise _unreadable(_why(error), self.param) from error
        finally:
            self.container.close()


def open_recording(data: bytes, longest_s: float, param: str = "file") -> Recording:
    """`data` as a recording of at most `longest_s` seconds. Raises InvalidRequest or TooLarge on `param`."""
    if not data:
        raise InvalidRequest("the file is empty", param=param, code="empty_file")
    kind = sniff(data)
    if kind is None:
        raise _unreadable(f"it is none of {READABLE}", param)
    try:
        container: Any = av.open(io.BytesIO(data), format=kind, mode="r")
        stream = container.streams.audio[0]
    except IndexError:
        raise _unreadable("it has no sound track", param) from None
    except (FFmpegError, ValueError) as error:
        raise _unreadable(_why(error), param) from error
    rate_hz, channels = stream.rate or 0, stream.channels
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1] or not 1 <= channels <= MOST_CHANNELS:
        raise _unreadable(f"{rate_hz} Hz and {channels} channels", param)
    length = container.duration
    header_s = length / 1_000_000 if length and length > 0 and kind != "aac" else None
    if header_s is not None and header_s > longest_s:
        raise _too_long(longest_s, param)
    return Recording(container, stream, header_s, longest_s, param)


def read_mono(data: bytes, sample_rate_hz: int, longest_s: float, param: str = "file") -> Samples:
    """The whole recording. Raises InvalidRequest or TooLarge on `param`."""
    return np.concatenate(list(open_recording(data, longest_s, param).blocks(sample_rate_hz)))


def sniff(data: bytes) -> str | None:
    """FFmpeg's name for the format of `data`; None for what is no recording."""
    if data[:4] in OPENINGS:
        return OPENINGS[data[:4]]
    if data[4:8] == b"ftyp":
        return "mp4"
    if data[:3] == b"ID3":
        return "mp3"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0x06 == 0 else "mp3"  # the bits of MPEG's layer, which ADTS leaves at 0
    return None


def _unreadable(why: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"the recording cannot be read: {why}", param=param, code="invalid_audio")


def _too_long(longest_s: float, param: str) -> TooLarge:
    return TooLarge(f"the recording is longer than {longest_s:g} seconds", param=param, code="audio_too_long")


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0][:200]
