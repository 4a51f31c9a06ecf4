"""The engine: a request in, sound or text out as it comes. Knows models, not HTTP.

Closing the generator that a request runs in stops what still runs, within one step.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import soxr

from ml_audio import loading, sentences
from ml_audio.asked import SoundAsked, Speech, Transcription
from ml_audio.catalog import Kind
from ml_audio.composing.composer import Composer, Made, Piece
from ml_audio.effects import generate_effect
from ml_audio.hearing.listener import RATE_HZ, Listener, Segment
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ
from ml_audio.pool import Pool, Resident
from ml_audio.settings import AudioSettings
from ml_audio.sound.joining import Joiner
from ml_audio.sound.reading import Samples, open_recording
from ml_audio.sources import Source, Sources
from ml_audio.speaking.speaker import Clip, Speaker, Utterance
from ml_audio.voices import VoiceStore, is_own
from shared.errors import InvalidRequest, NotFound, Overloaded
from shared.wire.audio import OPENAI_VOICES

SWEEP_S = 5.0
EFFECTS_AT_ONCE = 2
EFFECTS_WAITING = 16
WORDS = {"speech": "speaks", "recogniser": "transcribes", "music": "makes music"}


class Engine:
    """Create and `close` it in a running event loop. `default` speaks for requests that name no model."""

    def __init__(self, settings: AudioSettings, sources: Sources, default: str) -> None:
        self.settings, self.sources, self.default = settings, sources, default
        self.pool = Pool(settings, sources)
        self.voices = VoiceStore(settings.data_dir)
        self.effects, self.effects_asked = asyncio.Semaphore(EFFECTS_AT_ONCE), 0
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        self._sweeper.cancel()

    async def speak(self, wanted: Speech) -> AsyncGenerator[Samples, None]:
        """The sentences of `wanted`, joined; (T,) each. Raises what is wrong with the request before the first."""
        if len(wanted.text) > self.settings.text_chars:
            raise InvalidRequest(
                f"the text has {len(wanted.text)} characters; {self.settings.text_chars} are read out at most",
                param="input",
                code="input_too_long",
            )
        async with self.pool.lease(await self._who(wanted)) as resident:
            speaker: Speaker = of_kind(resident, "speech")
            own = wanted.voice if wanted.voice and is_own(wanted.voice) else None
            clip = await asyncio.to_thread(self.voices.clip, own) if own else None
            voice = choose_voice(speaker.voices, None if clip else wanted.voice)
            joiner = Joiner(wanted.sample_rate_hz)
            said = False
            for piece in sentences.cut(wanted.text, speaker.limit):
                utterance = Utterance(piece.text, voice, clip, wanted.speed, wanted.mood, wanted.seed)
                speaker.check(utterance)
                samples = await resident.run(partial(say, speaker, utterance, joiner, piece.pause_s))
                if len(samples):
                    said = True
                    yield samples
            if not said:
                raise InvalidRequest("there is nothing in the text that this voice could say", param="input")

    async def _who(self, wanted: Speech) -> Source:
        """The model that speaks: the one that was asked for, or that a voice of clips was made for.

        A voice that it does not have may be a model of its own: a trained one.
        """
        name = wanted.voice
        if name and is_own(name):
            own = await asyncio.to_thread(self.voices.get, name)
            return self.sources.find(wanted.model or own.model or self.default)
        source = self.sources.find(wanted.model or self.default)
        if not name or name in OPENAI_VOICES:
            return source
        resident = await self.pool.load(source)
        if name in getattr(resident.model, "voices", ()):
            return source
        try:
            return self.sources.find(name)
        except NotFound:
            return source

    async def speaker_names(self, model: str | None) -> tuple[Source, Sequence[str]]:
        """The voices in the weights of a model."""
        source = self.sources.find(model or self.default)
        async with self.pool.lease(source) as resident:
            return source, of_kind(resident, "speech").voices

    async def check_imitation(self, model: str | None, clip: Clip) -> str:
        """The name of the model that will speak as `clip` does. Raises InvalidRequest when it does not."""
        source = self.sources.find(model or self.default)
        async with self.pool.lease(source) as resident:
            of_kind(resident, "speech").check(Utterance("words", clip=clip))
        return source.name

    async def compose(self, wanted: SoundAsked) -> Made:
        """Music by a model, or effects."""
        piece = wanted.piece
        if wanted.effects:
            return await self._effect(piece)
        async with self.pool.lease(self.sources.find(wanted.model or self.settings.music)) as resident:
            composer: Composer = of_kind(resident, "music")
            return await resident.run(partial(composer.compose, piece))

    async def _effect(self, piece: Piece) -> Made:
        if self.effects_asked >= EFFECTS_AT_ONCE + EFFECTS_WAITING:
            raise Overloaded("too many effects are being made", retry_after_s=1.0)
        self.effects_asked += 1
        try:
            async with self.effects:
                samples = await asyncio.to_thread(generate_effect, piece.prompt, piece.duration_s, piece.seed)
        finally:
            self.effects_asked -= 1
        return Made(samples, SAMPLE_RATE_HZ)

    async def hear(self, wanted: Transcription) -> AsyncGenerator[Segment, None]:
        """The segments of a recording, as they become certain. Raises what is wrong with the request before the first.

        The recording is decoded as it is heard: an hour takes no more memory than a window.
        """
        source = self.sources.find(wanted.model or self.settings.recogniser)
        recording = await asyncio.to_thread(open_recording, wanted.data, self.settings.audio_s)
        async with self.pool.lease(source) as resident:
            listener: Listener = of_kind(resident, "recogniser")
            hearing = listener.begin(wanted.task)
            blocks = recording.blocks(RATE_HZ)
            heard, at, last = np.zeros(0, np.float32), 0, False
            while not last:
                heard, last = await asyncio.to_thread(fill, blocks, heard, hearing.window)
                wanted.seconds = (at + len(heard)) / RATE_HZ
                if last and not len(heard):
                    return
                segments, step = await resident.run(partial(hearing.hear, heard[: hearing.window], at, last))
                for segment in segments:
                    yield segment
                heard, at = heard[step:], at + step

    async def look(self, name: str) -> tuple[Source, loading.Facts, bool]:
        """A model by name: where it is, what it is, whether it is loaded."""
        source = self.sources.find(name)
        base = self.sources.find(source.base) if source.base else source
        facts = await asyncio.to_thread(loading.look, base.folder, base.name, self.settings)
        return source, facts, self.pool.is_loaded(source)

    async def load(self, name: str) -> None:
        """Bring a model into memory now."""
        await self.pool.load(self.sources.find(name))

    async def _sweep(self) -> None:
        while self.settings.idle_s:
            await asyncio.sleep(min(SWEEP_S, self.settings.idle_s / 4))
            await self.pool.sweep()


def fill(blocks: Iterator[Samples], heard: Samples, size: int) -> tuple[Samples, bool]:
    """What was `heard` and more, to at least one sample above `size`; and whether that was the end."""
    parts, length = [heard], len(heard)
    while length <= size:
        block = next(blocks, None)
        if block is None:
            return np.concatenate(parts), True
        parts.append(block)
        length += len(block)
    return np.concatenate(parts), False


def say(speaker: Speaker, utterance: Utterance, joiner: Joiner, pause_s: float) -> Samples:
    """One piece of text, ready to be sent; nothing when there is nothing in it to be said."""
    samples = speaker.say(utterance)
    if not len(samples):
        return samples
    return joiner.add(soxr.resample(samples, speaker.sample_rate_hz, joiner.sample_rate_hz), pause_s)


def choose_voice(voices: Sequence[str], name: str | None) -> str:
    """The model's voice that `name` means: its own name for it, or one of OpenAI's. Raises InvalidRequest."""
    if not name or name in voices:
        return name or voices[0]
    if name in OPENAI_VOICES:
        return voices[OPENAI_VOICES.index(name) % len(voices)]
    raise InvalidRequest(f"there is no voice {name!r}; there is {', '.join(voices[:20])}", param="voice")


def of_kind(resident: Resident, kind: Kind) -> Any:
    """The model itself. InvalidRequest when it is of another kind."""
    if resident.facts.kind != kind:
        raise InvalidRequest(
            f"{resident.source.name} {WORDS[resident.facts.kind]}; this needs a model that {WORDS[kind]}", param="model"
        )
    return resident.model
