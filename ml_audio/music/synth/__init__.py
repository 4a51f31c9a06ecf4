"""The synthesiser: a score as sound. A new instrument is a file with `note`, and a row of VOICES."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from ml_audio.mastering import master
from ml_audio.music.performance import Event, perform
from ml_audio.music.score import DRUMS, Score
from ml_audio.music.synth import bass, drums, guitar, piano, strings
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ, seconds

LOUDNESS_DB = -18.0
FADE_S = 0.25


@dataclass(frozen=True)
class Voice:
    note: Callable[[int, float], np.ndarray]
    gain: float
    pan: float  # -1 left … 1 right
    reverb: float  # how much of it goes into the room
    longest_s: float  # what rings longer is cut
    release_s: float  # how long it sounds on after its end


VOICES = {
    "piano": Voice(piano.note, 0.50, -0.18, 0.20, 6.0, 0.25),
    "guitar": Voice(guitar.note, 0.42, 0.25, 0.16, 5.0, 0.20),
    "strings": Voice(strings.note, 0.34, 0.10, 0.35, 8.0, 0.30),
    "bass": Voice(bass.note, 0.50, 0.0, 0.04, 4.0, 0.12),
    "drums": Voice(drums.note, 0.50, 0.0, 0.10, 2.0, 0.10),
}
DRUM_PAN = {"hat": 0.3, "open": 0.3, "ride": -0.35, "crash": -0.25, "high": 0.2, "low": -0.3}
DRUM_PANS = {DRUMS[name]: pan for name, pan in DRUM_PAN.items()}


def render(score: Score, duration_s: float, seed: int = 0) -> np.ndarray:
    """(n, 2) float32 in [-1, 1], exactly `duration_s` at SAMPLE_RATE_HZ; what rings beyond the end is faded out."""
    total = len(seconds(duration_s))
    tail = SAMPLE_RATE_HZ  # the last notes ring into it before it is cut
    mix = np.zeros((total + tail, 2), dtype=np.float32)
    room = np.zeros(total + tail, dtype=np.float32)
    waves: dict[tuple[str, int], np.ndarray] = {}
    events = perform(score, seed)
    longest = _longest(events)
    for event in events:
        key = event.instrument, event.pitch
        voice = VOICES[event.instrument]
        if key not in waves:
            waves[key] = voice.note(event.pitch, longest[key]).astype(np.float32)
        _add(mix, room, event, voice, waves[key])
    mix = (mix + _room(room))[:total]
    mix -= mix.mean(axis=0)
    fade = min(total, round(FADE_S * SAMPLE_RATE_HZ))
    mix[total - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return master(mix, LOUDNESS_DB)


def _longest(events: list[Event]) -> dict[tuple[str, int], float]:
    """How long each pitch of each instrument has to sound, to be made once."""
    longest: dict[tuple[str, int], float] = {}
    for event in events:
        voice = VOICES[event.instrument]
        key = event.instrument, event.pitch
        longest[key] = max(longest.get(key, 0.0), min(voice.longest_s, event.duration_s + voice.release_s))
    return longest


def _add(mix: np.ndarray, room: np.ndarray, event: Event, voice: Voice, wave: np.ndarray) -> None:
    start = round(event.start_s * SAMPLE_RATE_HZ)
    length = min(len(wave), round((event.duration_s + voice.release_s) * SAMPLE_RATE_HZ), len(mix) - start)
    if event.instrument == "drums":
        length = min(len(wave), len(mix) - start)
    if length <= 0:
        return
    sound = wave[:length] * (voice.gain * (event.velocity / 100) ** 1.4)
    release = min(length, round(voice.release_s * SAMPLE_RATE_HZ))
    sound[length - release :] *= np.linspace(1, 0, release, dtype=np.float32) ** 2
    pan = DRUM_PANS.get(event.pitch, 0.0) if event.instrument == "drums" else voice.pan
    angle = (pan + 1) * np.pi / 4  # equal power
    mix[start : start + length, 0] += sound * np.float32(np.cos(angle))
    mix[start : start + length, 1] += sound * np.float32(np.sin(angle))
    room[start : start + length] += sound * np.float32(voice.reverb)


def _room(sent: np.ndarray) -> np.ndarray:
    """(n, 2): what a hall of 1.4 s gives back, the two ears hearing different echoes."""
    t = seconds(1.2)
    draw = np.random.default_rng(7)
    echoes = draw.normal(0, 1, (len(t), 2)) * np.exp(-t * 5.0)[:, None] * np.minimum(1, t / 0.012)[:, None]
    echoes = np.cumsum(echoes - 0.9 * np.roll(echoes, 1, axis=0), axis=0) * 0.3  # walls swallow what is high
    echoes *= np.exp(-t * 1.0)[:, None] / np.sqrt(np.sum(echoes**2, axis=0))
    return np.stack([fftconvolve(sent, echoes[:, ear])[: len(sent)] for ear in (0, 1)], axis=1).astype(np.float32)
