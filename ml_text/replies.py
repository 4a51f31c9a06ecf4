"""Between OpenAI's wire and the engine: a body to a request, deltas to answers and chunks. No HTTP here."""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from shared.wire.chat import AnswerMessage, ChatCompletion, ChatRequest, Choice
from shared.wire.completions import Completion, CompletionChoice, CompletionRequest
from shared.wire.text import TextRequest, Usage

if TYPE_CHECKING:
    from ml_text.engine import Answer, Engine, Request

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


def chat_request(body: ChatRequest) -> "Request":
    messages = [{"role": message.role, "content": message.text} for message in body.messages]
    return _request(body, messages=messages, max_tokens=body.token_limit)


def completion_requests(body: CompletionRequest) -> "list[Request]":
    """One per prompt."""
    return [_request(body, prompt=prompt, max_tokens=body.max_tokens) for prompt in prompts(body.prompt)]


def prompts(given: str | Sequence[Any]) -> list[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [list(given)]
    return list(given)


def _request(body: TextRequest, **fields: Any) -> "Request":
    from ml_text.engine import Request

    sampling = {name: value for name in SAMPLING if (value := getattr(body, name)) is not None}
    if "top_k" in sampling:
        sampling["top_k"] = max(sampling["top_k"], 0)  # vLLM's -1 is our 0: all
    return Request(
        model=body.model,
        sampling=sampling,
        stop=body.stop,
        response_format=body.response_format.model_dump() if body.response_format else None,
        stream=bool(body.stream),
        **fields,
    )


def usage(prompt_tokens: int, completion_tokens: int) -> Usage:
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )


async def whole(answer: "Answer") -> tuple[str, Any]:
    """The text of an answer and its finish_reason."""
    parts: list[str] = []
    reason: str | None = None
    async for delta in answer:
        parts.append(delta.text)
        reason = delta.finish_reason
    return "".join(parts), reason


async def chat_completion(engine: "Engine", body: ChatRequest) -> ChatCompletion:
    async with engine.open(chat_request(body)) as answer:
        text, reason = await whole(answer)
    return ChatCompletion(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=answer.model,
        choices=[Choice(message=AnswerMessage(content=text), finish_reason=reason)],
        usage=usage(answer.prompt_tokens, answer.completion_tokens),
        system_fingerprint=answer.fingerprint,
    )


async def chat_chunks(engine: "Engine", body: ChatRequest) -> AsyncIterator[bytes]:
    """The JSON of each chunk. The first has the role; the last, if asked for, the usage."""
    async with engine.open(chat_request(body)) as answer:
        chunk = _chunk_head("chatcmpl-", "chat.completion.chunk", answer, body)
        choice: dict[str, Any] = {"index": 0, "delta": None, "logprobs": None, "finish_reason": None}
        chunk["choices"] = [choice]
        opened = False
        async for delta in answer:
            if not opened:  # with the first token, so that a failure before it keeps its status
                choice["delta"] = {"role": "assistant", "content": "", "refusal": None}
                yield orjson.dumps(chunk)
                opened = True
            if delta.text:
                choice["delta"] = {"content": delta.text}
                yield orjson.dumps(chunk)
            if delta.finish_reason:
                choice["delta"], choice["finish_reason"] = {}, delta.finish_reason
                yield orjson.dumps(chunk)
        if body.wants_usage:
            total = usage(answer.prompt_tokens, answer.completion_tokens).model_dump()
            yield orjson.dumps({**chunk, "choices": [], "usage": total})


async def completion(engine: "Engine", body: CompletionRequest) -> Completion:
    """All prompts run at once; the first failure ends them all."""
    import asyncio

    async def one(request: "Request") -> "tuple[Answer, str, Any]":
        async with engine.open(request) as answer:
            return answer, *await whole(answer)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in completion_requests(body)]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    done = [task.result() for task in tasks]
    return Completion(
        id=f"cmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=done[0][0].model,
        choices=[
            CompletionChoice(index=index, text=text, finish_reason=reason)
            for index, (_, text, reason) in enumerate(done)
        ],
        usage=usage(sum(a.prompt_tokens for a, *_ in done), sum(a.completion_tokens for a, *_ in done)),
        system_fingerprint=done[0][0].fingerprint,
    )


async def completion_chunks(engine: "Engine", body: CompletionRequest) -> AsyncIterator[bytes]:
    """The chunks of one prompt after the other, told apart by the choice's index."""
    prompt_tokens = completion_tokens = 0
    chunk: dict[str, Any] = {}
    for index, request in enumerate(completion_requests(body)):
        async with engine.open(request) as answer:
            chunk = _chunk_head("cmpl-", "text_completion", answer, body)
            async for delta in answer:
                finish = delta.finish_reason
                choice = {"index": index, "text": delta.text, "logprobs": None, "finish_reason": finish}
                yield orjson.dumps({**chunk, "choices": [choice]})
            prompt_tokens += answer.prompt_tokens
            completion_tokens += answer.completion_tokens
    if body.wants_usage:
        yield orjson.dumps({**chunk, "choices": [], "usage": usage(prompt_tokens, completion_tokens).model_dump()})


def _chunk_head(prefix: str, kind: str, answer: "Answer", body: TextRequest) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": f"{prefix}{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": answer.model,
        "system_fingerprint": answer.fingerprint,
    }
    return {**head, "usage": None} if body.wants_usage else head
