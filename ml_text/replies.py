"""Between OpenAI's wire and the engine: a body to a request, deltas to answers and chunks. No HTTP here."""

import asyncio
import base64
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from ml_text.calls import DeltaWriter, read_message
from ml_text.searches import beams_of
from ml_text.tools import call_plan, spoken, told_tools
from shared.errors import InvalidRequest
from shared.wire.chat import (
    AnswerMessage,
    ChatCompletion,
    ChatLogprobs,
    ChatRequest,
    ChatTokenLogprob,
    Choice,
    TopLogprob,
)
from shared.wire.embeddings import Embedding, EmbeddingList, EmbeddingRequest, EmbeddingUsage
from shared.wire.text import TextRequest, Usage

if TYPE_CHECKING:
    from ml_text.engine import Answer, Engine, Request
    from ml_text.grammar import CallPlan
    from ml_text.job import Delta
    from ml_text.logprobs import TokenLogprob

SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
)


def chat_requests(body: ChatRequest) -> "list[Request]":
    """One per choice. InvalidRequest for fields that do not go together."""
    if body.top_logprobs and not body.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs: true", param="top_logprobs")
    plan = call_plan(body)
    return requests_of(
        body,
        body.n or 1,
        messages=spoken(body.messages),
        tools=told_tools(body) if plan else (),
        calls=plan,
        max_tokens=body.token_limit,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
    )


def requests_of(body: TextRequest, runs: int, **fields: Any) -> "list[Request]":
    """`runs` times the same, but for the seed: a seed names all of them, so each counts on from it. With beams one
    request has all the answers."""
    from ml_text.engine import Request

    beams = beams_of(body, runs, fields.get("calls"))
    if beams:
        fields, runs = {**fields, "beams": beams}, 1
    sampling = {name: value for name in SAMPLING if (value := getattr(body, name)) is not None}
    if "top_k" in sampling:
        sampling["top_k"] = max(sampling["top_k"], 0)  # vLLM's -1 is our 0: all
    seeds = [{"seed": body.seed + choice} if body.seed is not None else {} for choice in range(runs)]
    return [
        Request(
            model=body.model,
            sampling={**sampling, **seed},
            stop=body.stop,
            response_format=body.response_format.model_dump() if body.response_format else None,
            stream=bool(body.stream),
            **fields,
        )
        for seed in seeds
    ]


def usage(prompt_tokens: int, completion_tokens: int) -> Usage:
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )


@dataclass
class Done:
    """One choice at its end. `answer` is its request's, which may have several."""

    answer: "Answer"
    text: str = ""
    finish_reason: Any = None
    logprobs: "list[TokenLogprob]" = field(default_factory=list["TokenLogprob"])


def generated(answers: "Iterable[Answer]") -> int:
    """The tokens of all of them, each counted once."""
    return sum(answer.completion_tokens for answer in dict.fromkeys(answers))


async def whole(engine: "Engine", requests: "Sequence[Request]") -> list[Done]:
    """All run at once; the first failure ends them all."""

    async def one(request: "Request") -> list[Done]:
        async with engine.open(request) as answer:
            said = [Done(answer) for _ in range(answer.choices)]
            async for delta in answer:
                done = said[delta.choice]
                done.text += delta.text
                done.logprobs += delta.logprobs
                done.finish_reason = delta.finish_reason
        return said

    if len(requests) == 1:
        return await one(requests[0])
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [done for task in tasks for done in task.result()]


async def together(
    engine: "Engine", requests: "Sequence[Request]"
) -> "AsyncGenerator[tuple[int, Answer, Delta], None]":
    """The deltas of all requests as they come, with the choice's place; closing it cancels what still runs."""
    if len(requests) == 1:  # no queue between a step and its reader
        async with engine.open(requests[0]) as answer:
            async for delta in answer:
                yield delta.choice, answer, delta
        return
    ready: asyncio.Queue[tuple[int, Answer, Delta] | asyncio.Task[None]] = asyncio.Queue()

    async def run(place: int, request: "Request") -> None:
        async with engine.open(request) as answer:
            async for delta in answer:
                ready.put_nowait((place * answer.choices + delta.choice, answer, delta))

    tasks = [asyncio.create_task(run(place, request)) for place, request in enumerate(requests)]
    for task in tasks:
        task.add_done_callback(ready.put_nowait)
    running = len(tasks)
    try:
        while running:
            found = await ready.get()
            if isinstance(found, tuple):
                yield found
            else:
                running -= 1
                found.result()  # raises what ended it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def chat_completion(engine: "Engine", body: ChatRequest) -> ChatCompletion:
    requests = chat_requests(body)
    done = await whole(engine, requests)
    first = done[0].answer
    return ChatCompletion(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=first.model,
        choices=[_choice(index, one, requests[0].calls, bool(body.logprobs)) for index, one in enumerate(done)],
        usage=usage(first.prompt_tokens, generated(one.answer for one in done)),
        system_fingerprint=first.fingerprint,
    )


def _choice(index: int, one: Done, plan: "CallPlan | None", scored: bool) -> Choice:
    message, reason = AnswerMessage(content=one.text), one.finish_reason
    if plan is not None:
        message = read_message(one.text, plan)
        reason = "tool_calls" if message.tool_calls else reason
    # of calls OpenAI tells no log-probabilities: they are not content
    logprobs = chat_logprobs(one.logprobs) if scored and not message.tool_calls else None
    return Choice(index=index, message=message, logprobs=logprobs, finish_reason=reason)


async def chat_chunks(engine: "Engine", body: ChatRequest) -> AsyncIterator[bytes]:
    """The JSON of each chunk. The first of a choice has the role; the last of all, if asked for, the usage."""
    chunk: dict[str, Any] = {}
    answers: dict[int, Answer] = {}
    requests = chat_requests(body)
    plan = requests[0].calls
    writers = [DeltaWriter(plan) for _ in range(body.n or 1)]
    async with contextlib.aclosing(together(engine, requests)) as deltas:
        async for index, answer, delta in deltas:
            chunk = chunk or chunk_head("chatcmpl-", "chat.completion.chunk", answer, body)
            choice: dict[str, Any] = {"index": index, "delta": None, "logprobs": None, "finish_reason": None}
            chunk["choices"] = [choice]
            if index not in answers:  # with the first token, so that a failure before it keeps its status
                answers[index] = answer
                begun = "" if plan is None else None  # with calls there may be no content at all
                choice["delta"] = {"role": "assistant", "content": begun, "refusal": None}
                yield orjson.dumps(chunk)
            scored = chat_logprobs(delta.logprobs).model_dump() if body.logprobs and delta.logprobs else None
            for piece in writers[index].write(delta, scored is not None):
                choice["delta"], choice["logprobs"] = piece, scored if "content" in piece else None
                yield orjson.dumps(chunk)
            if delta.finish_reason:
                reason = writers[index].finish_reason(delta)
                choice |= {"delta": {}, "logprobs": None, "finish_reason": reason}
                yield orjson.dumps(chunk)
    if body.wants_usage:
        total = usage(answers[0].prompt_tokens, generated(answers.values()))
        yield orjson.dumps({**chunk, "choices": [], "usage": total.model_dump()})


def chat_logprobs(tokens: "Sequence[TokenLogprob]") -> ChatLogprobs:
    return ChatLogprobs(
        content=[
            ChatTokenLogprob(
                token=spelled(token.spelled),
                bytes=list(token.spelled),
                logprob=token.logprob or 0.0,
                top_logprobs=[
                    TopLogprob(token=spelled(other), bytes=list(other), logprob=logprob) for other, logprob in token.top
                ],
            )
            for token in tokens
        ]
    )


def spelled(token: bytes) -> str:
    """A token as OpenAI writes it: text, or its bytes where they are a part of a character."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


def chunk_head(prefix: str, kind: str, answer: "Answer", body: TextRequest) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": f"{prefix}{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.model,
        "system_fingerprint": answer.fingerprint,
    }
    return {**head, "usage": None} if body.wants_usage else head


async def embeddings(engine: "Engine", body: EmbeddingRequest) -> EmbeddingList:
    """OpenAI's answer, in the encoding that was asked for. Raises InvalidRequest naming the field."""
    from ml_text.encoder import shorten

    made = await engine.embed(body.model, body.inputs)
    vectors = shorten(made.vectors, body.dimensions).astype("<f4")
    if body.encoding_format == "base64":
        rows: list[Any] = [base64.b64encode(row.tobytes()).decode() for row in vectors]
    else:
        rows = vectors.tolist()
    data = [Embedding(index=index, embedding=row) for index, row in enumerate(rows)]
    usage = EmbeddingUsage(prompt_tokens=made.tokens, total_tokens=made.tokens)
    return EmbeddingList(data=data, model=made.model, usage=usage)
