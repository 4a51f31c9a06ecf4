"""espeak-ng through ctypes: text -> speech with the times of its phonemes and words.

The library comes with the wheel espeakng-loader (GPL-3: it makes training data, and no service imports this file).
Events and constants: speak_lib.h of https://github.com/espeak-ng/espeak-ng.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLE_RATE_HZ = 16_000
PAUSE = "_"
_RETRIEVE, _PHONEMES, _IPA, _NO_EXIT = 2, 1, 2, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_UTF8, _END_PAUSE = 1, 0x1000
_LIST_END, _WORD, _CLAUSE, _PHONEME = 0, 1, 5, 7


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("place", ctypes.c_int),
        ("length", ctypes.c_int),
        ("time_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _Id),
    ]


@dataclass(frozen=True)
class Speech:
    samples: np.ndarray  # (N,) float32 in [-1, 1]
    phonemes: list[tuple[str, float]]
    """IPA, with the stress mark before a stressed vowel, and where it begins, in seconds; PAUSE between clauses."""
    words: list[tuple[int, int]]
    """Where each word begins: in the text, and among the phonemes, both from 0."""


class Espeak:
    """One voice of the process: the library holds its state in globals, so there is one of these at a time."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate_hz: int = self.library.espeak_Initialize(_RETRIEVE, 200, data, _PHONEMES | _IPA | _NO_EXIT)
        if self.rate_hz <= 0:
            raise RuntimeError("espeak-ng did not start")
        self.chunks: list[np.ndarray] = []
        self.events: list[tuple[int, Any, float]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        self.callback = kind(self._receive)  # kept, or it would be collected while the library calls it
        self.library.espeak_SetSynthCallback(self.callback)
        self.voice = ""

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        at = 0
        while events[at].type != _LIST_END:
            event = events[at]
            if event.type == _PHONEME:
                name = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "replace")
                self.events.append((_PHONEME, name or PAUSE, event.sample / self.rate_hz))
            elif event.type == _WORD:
                self.events.append((_WORD, event.place - 1, event.sample / self.rate_hz))
            at += 1
        return 0

    def say(self, text: str, voice: str, words_per_minute: int = 165, pitch: int = 50, pitch_range: int = 50) -> Speech:
        """`voice` as `en-us+f3`: a language and a variant; pitch and range in 0 … 99."""
        import soxr

        if voice != self.voice:
            if self.library.espeak_SetVoiceByName(voice.encode()):
                raise ValueError(f"espeak-ng has no voice {voice}")
            self.voice = voice
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        self.chunks.clear()
        self.events.clear()
        raw = text.encode() + b"\0"
        self.library.espeak_Synth(raw, len(raw), 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
        samples = np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)
        samples = soxr.resample(samples.astype(np.float32) / 32768, self.rate_hz, SAMPLE_RATE_HZ)
        phonemes: list[tuple[str, float]] = []
        words: list[tuple[int, int]] = []
        for kind, what, at in self.events:
            if kind == _PHONEME:
                phonemes.append((what, at))
            else:
                words.append((what, len(phonemes)))
        return Speech(samples, phonemes, words)
