"""OpenAI's completions over the engine: several prompts, echo, scores, the best of many. No HTTP here."""

import codecs
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ml_text.replies import chunk_head, generated, requests_of, spelled, together, usage, whole
from ml_text.searches import is_searched
from shared.errors import InvalidRequest
from shared.wire.completions import Completion, CompletionChoice, CompletionLogprobs, CompletionRequest
from shared.wire.text import Usage

if TYPE_CHECKING:
    from ml_text.engine import Answer, Engine, Request
    from ml_text.logprobs import TokenLogprob


async def completion(engine: "Engine", body: CompletionRequest) -> Completion:
    check(body)
    runs = _runs(body)
    done = await whole(engine, _requests(body, runs))
    kept = [one for at in range(0, len(done), runs) for one in _best(done[at : at + runs], body.n or 1)]
    return Completion(
        id=f"cmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=done[0].answer.model,
        choices=[
            CompletionChoice(
                index=index,
                text=(one.answer.echo if body.echo else "") + one.text,
                logprobs=None
                if body.logprobs is None
                else Offsets().lay_out([*one.answer.prompt_logprobs, *one.logprobs], body.logprobs),
                finish_reason=one.finish_reason,
            )
            for index, one in enumerate(kept)
        ],
        usage=_usage([one.answer for one in done], runs),
        system_fingerprint=done[0].answer.fingerprint,
    )


async def completion_chunks(engine: "Engine", body: CompletionRequest) -> AsyncIterator[bytes]:
    """The chunks of all prompts as they come, told apart by the choice's index."""
    check(body)
    chunk: dict[str, Any] = {}
    answers: dict[int, Answer] = {}
    offsets: dict[int, Offsets] = {}
    async with contextlib.aclosing(together(engine, _requests(body, body.n or 1))) as deltas:
        async for index, answer, delta in deltas:
            chunk = chunk or chunk_head("cmpl-", "text_completion", answer, body)
            text, scored = delta.text, delta.logprobs
            if index not in answers:
                answers[index], offsets[index] = answer, Offsets()
                text = (answer.echo if body.echo else "") + text
                scored = [*answer.prompt_logprobs, *scored]
            logprobs = None if body.logprobs is None else offsets[index].lay_out(scored, body.logprobs).model_dump()
            choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": delta.finish_reason}
            yield orjson.dumps({**chunk, "choices": [choice]})
    if body.wants_usage:
        total = _usage([answers[index] for index in sorted(answers)], body.n or 1)
        yield orjson.dumps({**chunk, "choices": [], "usage": total.model_dump()})


def check(body: CompletionRequest) -> None:
    """Raises InvalidRequest for fields that do not go together."""
    if body.best_of is not None and body.best_of < (body.n or 1):
        raise InvalidRequest("best_of must be at least n", param="best_of")
    if _runs(body) > (body.n or 1) and body.stream:
        raise InvalidRequest("the best of several cannot be streamed", param="best_of")


def _runs(body: CompletionRequest) -> int:
    """How many answers are made to each prompt; with beams `best_of` is their number."""
    return (None if is_searched(body) else body.best_of) or body.n or 1


def prompts(given: str | Sequence[Any]) -> list[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [list(given)]
    return list(given)


class Offsets:
    """Where each token begins in a text, in characters; a token that ends in the middle of one counts to the next."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._at = 0

    def lay_out(self, tokens: "Iterable[TokenLogprob]", top: int) -> CompletionLogprobs:
        """The four lists of the legacy format."""
        made = CompletionLogprobs(tokens=[], token_logprobs=[], top_logprobs=[] if top else None, text_offset=[])
        for token in tokens:
            made.tokens.append(spelled(token.spelled))
            made.token_logprobs.append(token.logprob)
            made.text_offset.append(self._at)
            self._at += len(self._decoder.decode(token.spelled))
            if made.top_logprobs is not None:
                made.top_logprobs.append(_alternatives(token))
        return made


def _alternatives(token: "TokenLogprob") -> dict[str, float] | None:
    """The likeliest, and the token itself if it is not one of them."""
    if token.logprob is None:
        return None
    return {**{spelled(other): logprob for other, logprob in token.top}, spelled(token.spelled): token.logprob}


def _requests(body: CompletionRequest, runs: int) -> "list[Request]":
    """One per choice, those of the same prompt beside each other."""
    top = body.logprobs
    if top is None and runs > (body.n or 1):
        top = 0  # the best is chosen by its score
    return [
        request
        for prompt in prompts(body.prompt)
        for request in requests_of(
            body,
            runs,
            prompt=prompt,
            max_tokens=body.max_tokens,
            logprobs=top,
            echo=bool(body.echo),
            score_prompt=bool(body.echo) and body.logprobs is not None,
        )
    ]


def _best(done: Sequence[Any], n: int) -> Sequence[Any]:
    """The `n` with the highest log-probability per token, the best first."""
    if len(done) == n:
        return done

    def score(one: Any) -> float:
        values = [token.logprob for token in one.logprobs]
        return sum(values) / len(values) if values else float("-inf")

    return sorted(done, key=score, reverse=True)[:n]


def _usage(answers: "Sequence[Answer]", runs: int) -> Usage:
    """Each prompt counts once, however many answers it has; answers that were not the best count too."""
    return usage(sum(answer.prompt_tokens for answer in answers[::runs]), generated(answers))
