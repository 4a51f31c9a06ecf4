"""Transcripts as they go over the wire: json, text, subtitles, and server-sent events."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic import BaseModel

from ml_audio.asked import Transcription
from ml_audio.hearing.listener import Segment, Task
from shared.errors import InvalidRequest
from shared.multipart import Form
from shared.wire.audio import (
    DurationUsage,
    TranscriptDelta,
    TranscriptDone,
    TranscriptionRequest,
    TranscriptJson,
    TranscriptLogprob,
    TranscriptSegment,
    TranscriptSegmentEvent,
    TranscriptWord,
    TranslationRequest,
    VerboseTranscript,
)

if TYPE_CHECKING:
    from ml_audio.engine import Engine

UNKNOWN_LANGUAGE = "unknown"
SEEK_PER_S = 100
"""Whisper's frames, in which OpenAI tells where a segment was looked for."""


def wanted(form: Form, body: TranslationRequest) -> Transcription:
    """What the engine is asked for. Raises InvalidRequest when the recording is missing."""
    if not form.files:
        raise InvalidRequest("`file` is missing: send the recording as a file", param="file")
    asked = body if isinstance(body, TranscriptionRequest) else None
    task = Task(
        task="transcribe" if asked else "translate",
        language=asked.language.lower() if asked and asked.language else None,
        prompt=body.prompt or "",
        temperature=body.temperature or 0.0,
        words=bool(asked and ("word" in asked.timestamp_granularities or "logprobs" in asked.include)),
    )
    return Transcription(bytes(form.files[0].data), body.model, task)


async def answer(engine: "Engine", asked: Transcription, body: TranslationRequest) -> tuple[str, str]:
    """The whole transcript in the format that was asked for, and its media type."""
    async with aclosing(engine.hear(asked)) as found:
        segments = [segment async for segment in found]
    format = body.response_format or "json"
    if format in TEXTS:
        return TEXTS[format](segments), "text/vtt; charset=utf-8" if format == "vtt" else "text/plain; charset=utf-8"
    usage = DurationUsage(seconds=round(asked.seconds, 3))
    made: BaseModel
    if format == "verbose_json":
        made = _verbose(segments, asked, body, usage)
    else:
        logprobs = _logprobs(segments) if isinstance(body, TranscriptionRequest) and body.include else None
        made = TranscriptJson(text=_joined(segments), logprobs=logprobs, usage=usage, model=asked.model)
    return made.model_dump_json(exclude_none=True), "application/json"


async def events(
    engine: "Engine", asked: Transcription, body: TranscriptionRequest
) -> AsyncIterator[TranscriptDelta | TranscriptSegmentEvent | TranscriptDone]:
    """A delta and a segment for each that is certain, then the whole."""
    segments: list[Segment] = []
    async with aclosing(engine.hear(asked)) as found:
        async for segment in found:
            blank = " " if segments else ""
            segments.append(segment)
            logprobs = _logprobs([segment]) if body.include else None
            yield TranscriptDelta(delta=blank + segment.text, logprobs=logprobs)
            id = f"seg_{len(segments) - 1}"
            yield TranscriptSegmentEvent(id=id, start=_s(segment.start_s), end=_s(segment.end_s), text=segment.text)
    usage = DurationUsage(seconds=round(asked.seconds, 3))
    logprobs = _logprobs(segments) if body.include else None
    yield TranscriptDone(text=_joined(segments), logprobs=logprobs, usage=usage, model=asked.model)


async def sent(chunks: AsyncIterator[BaseModel]) -> AsyncGenerator[bytes, None]:
    """Without the keys that say nothing, which strict readers of OpenAI's types do not expect."""
    async for chunk in chunks:
        yield chunk.model_dump_json(exclude_none=True).encode()


def srt(segments: Sequence[Segment]) -> str:
    """https://en.wikipedia.org/wiki/SubRip"""
    return "".join(
        f"{i}\n{_clock(segment.start_s, ',')} --> {_clock(segment.end_s, ',')}\n{_line(segment.text)}\n\n"
        for i, segment in enumerate(segments, 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """https://www.w3.org/TR/webvtt1/"""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(segment.start_s, '.')} --> {_clock(segment.end_s, '.')}\n{_escaped(segment.text)}\n\n"
        for segment in segments
    )


def text(segments: Sequence[Segment]) -> str:
    return _joined(segments) + "\n"


TEXTS: Mapping[str, Callable[[Sequence[Segment]], str]] = {"srt": srt, "vtt": vtt, "text": text}


def _verbose(
    segments: Sequence[Segment], asked: Transcription, body: TranslationRequest, usage: DurationUsage
) -> VerboseTranscript:
    granularities = body.timestamp_granularities if isinstance(body, TranscriptionRequest) else []
    told = next((segment.language for segment in segments if segment.language), None)
    return VerboseTranscript(
        task=asked.task.task,
        language=told or asked.task.language or UNKNOWN_LANGUAGE,
        duration=usage.seconds,
        text=_joined(segments),
        segments=None
        if granularities and "segment" not in granularities
        else [_segment(i, segment) for i, segment in enumerate(segments)],
        words=[
            TranscriptWord(word=word.text, start=_s(word.start_s), end=_s(word.end_s))
            for segment in segments
            for word in segment.words
        ]
        if "word" in granularities
        else None,
        usage=usage,
        model=asked.model,
    )


def _segment(id: int, segment: Segment) -> TranscriptSegment:
    data = segment.text.encode()
    return TranscriptSegment(
        id=id,
        seek=round(segment.start_s * SEEK_PER_S),
        start=_s(segment.start_s),
        end=_s(segment.end_s),
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature,
        avg_logprob=round(segment.logprob, 4),
        compression_ratio=round(len(data) / max(1, len(zlib.compress(data))), 4),
        no_speech_prob=round(segment.no_speech_prob, 4),
    )


def _logprobs(segments: Sequence[Segment]) -> list[TranscriptLogprob]:
    return [
        TranscriptLogprob(token=word.text, bytes=list(word.text.encode()), logprob=round(word.logprob, 4))
        for segment in segments
        for word in segment.words
    ]


def _joined(segments: Sequence[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def _s(seconds: float) -> float:
    return round(seconds, 3)


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return _line(text).replace("&", "&amp;").replace("<", "&lt;")
