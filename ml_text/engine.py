"""The engine: a request in, text out as it comes. Knows models, not HTTP.

    async with engine.open(request) as answer:
        async for delta in answer: ...

Leaving the block cancels what still runs, within one step.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_text import catalog, loading
from ml_text.detokenize import TextStream
from ml_text.embedder import Embedder
from ml_text.encoder import Vectors
from ml_text.grammar import CallPlan, Guard
from ml_text.job import Beams, Delta, Job
from ml_text.loading import Facts, Loaded
from ml_text.logprobs import Logprobs, TokenLogprob
from ml_text.pool import Lease, Pool
from ml_text.prompts import PLAIN_STOP, chat_ids, source_ids, text_ids
from ml_text.sampling import Sampler, Sampling
from ml_text.settings import TextSettings
from ml_text.sources import Source, Sources
from shared.errors import InvalidRequest

SWEEP_S = 5.0


@dataclass(frozen=True)
class Request:
    """One answer that is wanted: `messages` (role and content) or `prompt` (text or token ids)."""

    model: str | None = None
    messages: Sequence[dict[str, Any]] | None = None
    tools: Sequence[dict[str, Any]] = ()
    """What the model is told of its tools, as chat templates take them."""
    calls: CallPlan | None = None
    """What calls the answer may or has to make."""
    prompt: str | Sequence[int] | None = None
    max_tokens: int | None = None
    """None: as many as the context has room for. More than that is cut to it."""
    sampling: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of Sampling that the caller set; the model's own defaults fill the rest."""
    stop: Sequence[str] = ()
    response_format: dict[str, Any] | None = None
    beams: Beams | None = None
    """Search instead of drawing; several answers are told by their deltas' `choice`."""
    logprobs: int | None = None
    """How many alternatives to tell for each token; 0: the token's own log-probability alone."""
    score_prompt: bool = False
    """With `logprobs`: those of the prompt too."""
    echo: bool = False
    """Say the prompt as text too."""
    stream: bool = True
    """False: one delta at the end."""
    ignore_eos: bool = False


@dataclass(eq=False)
class Answer:
    """A running request: iterate over its deltas. The last one of each of `choices` answers has `finish_reason`."""

    model: str
    prompt_tokens: int
    fingerprint: str
    echo: str
    """The prompt as text, if it was asked for."""
    scores: Logprobs | None
    deltas: "asyncio.Queue[Delta]"
    choices: int = 1
    completion_tokens: int = 0

    @property
    def prompt_logprobs(self) -> Sequence[TokenLogprob]:
        """Of the prompt's tokens, if they were asked for; there from the first delta on."""
        return self.scores.prompt if self.scores else ()

    async def __aiter__(self) -> AsyncIterator[Delta]:
        finished, left = 0, self.choices
        while left:
            delta = await self.deltas.get()
            if delta.error is not None:
                raise delta.error
            self.completion_tokens = finished + delta.tokens
            if delta.finish_reason:
                finished, left = self.completion_tokens, left - 1
            yield delta


@dataclass(frozen=True)
class Embedded:
    model: str
    vectors: Vectors  # (N, C) of length 1
    tokens: int


class Engine:
    """Create and `close` it in a running event loop. `default` answers requests that name no model."""

    def __init__(self, settings: TextSettings, sources: Sources, default: str) -> None:
        self.settings, self.sources, self.default = settings, sources, default
        self.pool = Pool(settings, self.sources, self._deliver)
        self.embedder = Embedder(settings)
        self._loop = asyncio.get_running_loop()
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        self._sweeper.cancel()
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Answer]:
        """Start answering. Raises what is wrong with the request, or Overloaded, before the first token."""
        source = self.sources.find(request.model or self.default)
        async with self.pool.lease(source) as lease:
            deltas: asyncio.Queue[Delta] = asyncio.Queue()
            job = await asyncio.to_thread(_prepare, lease, request, deltas)
            batcher = lease.resident.batcher
            batcher.submit(job, lease.forward)
            try:
                base = lease.resident.base
                read = job.source_ids or job.prompt_ids
                echo = base.spell_all(read, request.prompt) if request.echo else ""
                choices = request.beams.answers if request.beams else 1
                yield Answer(source.name, len(read), base.fingerprint, echo, job.logprobs, deltas, choices)
            finally:
                batcher.cancel(job)

    async def embed(self, model: str | None, inputs: Sequence[str] | Sequence[list[int]]) -> Embedded:
        """A vector for each input. Raises what is wrong with the model or an input."""
        source = self.sources.find(model or self.default)
        vectors, tokens = await self.embedder.embed(source, inputs)
        return Embedded(source.name, vectors, tokens)

    async def look(self, name: str) -> tuple[Source, Facts, bool]:
        """A model by name: where it is, what it is, whether it is loaded."""
        source = self.sources.find(name)
        base = self.sources.find(source.base) if source.base else source
        loaded = self.pool.is_loaded(source) or self.embedder.is_loaded(source)
        return source, await asyncio.to_thread(loading.look, base, self.settings), loaded

    async def load(self, name: str) -> None:
        """Bring a model into memory now."""
        source = self.sources.find(name)
        embeds = source.base is None and await asyncio.to_thread(catalog.is_encoder, source.folder)
        async with self.embedder.lease(source) if embeds else self.pool.lease(source):
            pass

    def _deliver(self, outbox: list[tuple[Job, Delta]]) -> None:
        """From a batcher's thread: one wake-up of the event loop per step, whatever the number of rows."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(_emit, outbox)

    async def _sweep(self) -> None:
        while self.settings.idle_s:
            await asyncio.sleep(min(SWEEP_S, self.settings.idle_s / 4))
            await self.pool.sweep()
            await self.embedder.sweep()


def _emit(outbox: list[tuple[Job, Delta]]) -> None:
    for job, delta in outbox:
        job.emit(delta)


def _prepare(lease: Lease, request: Request, deltas: "asyncio.Queue[Delta]") -> Job:
    """Tokenise and check, in a thread: a long prompt must not hold up the event loop."""
    base = lease.resident.base
    facts = base.facts
    if request.messages is None and request.prompt is None:
        raise InvalidRequest("messages or prompt is missing", param="messages")
    # stop strings are about text, and where a call is required there is none
    stop = [] if request.calls and request.calls.required else list(request.stop)
    source: list[int] | None = None
    if base.start_ids:
        source, ids = _source(base, request), list(base.start_ids)
    elif request.messages is not None:
        ids = chat_ids(base.tokenizer, request.messages, facts.context_length, request.tools)
        if not base.tokenizer.chat_template:
            stop.append(PLAIN_STOP)
    else:
        # one that is only to be scored leaves no room for an answer
        longest = facts.context_length + (request.max_tokens == 0)
        ids = text_ids(base.tokenizer, request.prompt or "", longest, facts.vocab_size)
    room = facts.context_length - len(ids)
    max_tokens = room if request.max_tokens is None else min(request.max_tokens, room)
    return Job(
        prompt_ids=ids,
        max_tokens=max_tokens,
        sampler=Sampler(Sampling(**{**base.defaults, **request.sampling}), facts.vocab_size),
        text=TextStream(base.tokenizer, stop),
        emit=deltas.put_nowait,
        guard=_guard(base, request, max_tokens),
        logprobs=None if request.logprobs is None else Logprobs(request.logprobs, request.score_prompt, base.spell),
        source_ids=source,
        beams=request.beams,
        end_ids=frozenset() if request.ignore_eos else base.end_ids,
        group=lease.group,
        stream=request.stream,
    )


def _source(base: Loaded, request: Request) -> list[int]:
    if request.score_prompt:
        raise InvalidRequest(
            "an encoder reads the prompt, so it has no log-probabilities; leave out echo or logprobs", param="echo"
        )
    given: Any = request.prompt if request.messages is None else request.messages
    facts = base.facts
    return source_ids(base.tokenizer, given, facts.context_length, facts.vocab_size, request.tools)


def _guard(base: Loaded, request: Request, max_tokens: int) -> Guard | None:
    if request.calls is not None:
        return base.grammars.compile_calls(request.calls).start(max_tokens)
    if request.response_format is None or request.response_format.get("type") == "text":
        return None
    return base.grammars.compile(request.response_format).start(max_tokens)
