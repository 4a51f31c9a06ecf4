"""Between OpenAI's wire and the engine: a body to a request, deltas to answers and chunks. No HTTP here."""

import asyncio
import base64
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from shared.wire.chat import AnswerMessage, ChatCompletion, ChatRequest, Choice
from shared.wire.completions import Completion, CompletionChoice, CompletionRequest
from shared.wire.embeddings import Embedding, EmbeddingList, EmbeddingRequest, EmbeddingUsage
from shared.wire.text import TextRequest, Usage

if TYPE_CHECKING:
    from ml_text.engine import Answer, Engine, Request
    from ml_text.job import Delta

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
    """One per choice."""
    messages = [{"role": message.role, "content": message.text} for message in body.messages]
    return _requests(body, messages=messages, max_tokens=body.token_limit)


def completion_requests(body: CompletionRequest) -> "list[Request]":
    """One per choice, those of the same prompt beside each other."""
    return [
        request
        for prompt in prompts(body.prompt)
        for request in _requests(body, prompt=prompt, max_tokens=body.max_tokens)
    ]


def prompts(given: str | Sequence[Any]) -> list[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [list(given)]
    return list(given)


def _requests(body: TextRequest, **fields: Any) -> "list[Request]":
    """`n` times the same, but for the seed: a seed names all of them, so each counts on from it."""
    from ml_text.engine import Request

    sampling = {name: value for name in SAMPLING if (value := getattr(body, name)) is not None}
    if "top_k" in sampling:
        sampling["top_k"] = max(sampling["top_k"], 0)  # vLLM's -1 is our 0: all
    seeds = [{"seed": body.seed + choice} if body.seed is not None else {} for choice in range(body.n or 1)]
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


async def whole(engine: "Engine", requests: "Sequence[Request]") -> "list[tuple[Answer, str, Any]]":
    """Each request's answer, its text and its finish_reason. All run at once; the first failure ends them all."""

    async def one(request: "Request") -> "tuple[Answer, str, Any]":
        parts: list[str] = []
        reason: str | None = None
        async with engine.open(request) as answer:
            async for delta in answer:
                parts.append(delta.text)
                reason = delta.finish_reason
        return answer, "".join(parts), reason

    if len(requests) == 1:
        return [await one(requests[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]


async def together(
    engine: "Engine", requests: "Sequence[Request]"
) -> "AsyncGenerator[tuple[int, Answer, Delta], None]":
    """The deltas of all requests as they come, with the request's place; closing it cancels what still runs."""
    if len(requests) == 1:  # no queue between a step and its reader
        async with engine.open(requests[0]) as answer:
            async for delta in answer:
                yield 0, answer, delta
        return
    ready: asyncio.Queue[tuple[int, Answer, Delta] | asyncio.Task[None]] = asyncio.Queue()

    async def run(place: int, request: "Request") -> None:
        async with engine.open(request) as answer:
            async for delta in answer:
                ready.put_nowait((place, answer, delta))

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
    done = await whole(engine, chat_requests(body))
    first = done[0][0]
    return ChatCompletion(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=first.model,
        choices=[
            Choice(index=index, message=AnswerMessage(content=text), finish_reason=reason)
            for index, (_, text, reason) in enumerate(done)
        ],
        usage=usage(first.prompt_tokens, sum(answer.completion_tokens for answer, *_ in done)),
        system_fingerprint=first.fingerprint,
    )


async def chat_chunks(engine: "Engine", body: ChatRequest) -> AsyncIterator[bytes]:
    """The JSON of each chunk. The first of a choice has the role; the last of all, if asked for, the usage."""
    chunk: dict[str, Any] = {}
    answers: dict[int, Answer] = {}
    async with contextlib.aclosing(together(engine, chat_requests(body))) as deltas:
        async for index, answer, delta in deltas:
            chunk = chunk or _chunk_head("chatcmpl-", "chat.completion.chunk", answer, body)
            choice: dict[str, Any] = {"index": index, "delta": None, "logprobs": None, "finish_reason": None}
            chunk["choices"] = [choice]
            if index not in answers:  # with the first token, so that a failure before it keeps its status
                answers[index] = answer
                choice["delta"] = {"role": "assistant", "content": "", "refusal": None}
                yield orjson.dumps(chunk)
            if delta.text:
                choice["delta"] = {"content": delta.text}
                yield orjson.dumps(chunk)
            if delta.finish_reason:
                choice["delta"], choice["finish_reason"] = {}, delta.finish_reason
                yield orjson.dumps(chunk)
    if body.wants_usage:
        total = usage(answers[0].prompt_tokens, sum(answer.completion_tokens for answer in answers.values()))
        yield orjson.dumps({**chunk, "choices": [], "usage": total.model_dump()})


async def completion(engine: "Engine", body: CompletionRequest) -> Completion:
    done = await whole(engine, completion_requests(body))
    return Completion(
        id=f"cmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=done[0][0].model,
        choices=[
            CompletionChoice(index=index, text=text, finish_reason=reason)
            for index, (_, text, reason) in enumerate(done)
        ],
        usage=_completion_usage(body, [answer for answer, *_ in done]),
        system_fingerprint=done[0][0].fingerprint,
    )


async def completion_chunks(engine: "Engine", body: CompletionRequest) -> AsyncIterator[bytes]:
    """The chunks of all prompts as they come, told apart by the choice's index."""
    chunk: dict[str, Any] = {}
    answers: dict[int, Answer] = {}
    async with contextlib.aclosing(together(engine, completion_requests(body))) as deltas:
        async for index, answer, delta in deltas:
            chunk = chunk or _chunk_head("cmpl-", "text_completion", answer, body)
            answers[index] = answer
            choice = {"index": index, "text": delta.text, "logprobs": None, "finish_reason": delta.finish_reason}
            yield orjson.dumps({**chunk, "choices": [choice]})
    if body.wants_usage:
        total = _completion_usage(body, [answers[index] for index in sorted(answers)])
        yield orjson.dumps({**chunk, "choices": [], "usage": total.model_dump()})


def _completion_usage(body: CompletionRequest, answers: "Sequence[Answer]") -> Usage:
    """Each prompt counts once, however many answers it has."""
    return usage(
        sum(answer.prompt_tokens for answer in answers[:: body.n or 1]),
        sum(answer.completion_tokens for answer in answers),
    )


def _chunk_head(prefix: str, kind: str, answer: "Answer", body: TextRequest) -> dict[str, Any]:
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
