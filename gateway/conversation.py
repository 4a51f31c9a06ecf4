"""A chat with a rolling history: what still fits the model's context is sent, the oldest exchanges are let go."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.sessions import Exchange, SessionStore
from gateway.text import Text, answered_by
from shared.errors import InvalidRequest, UpstreamInvalid
from shared.wire.text import Usage

MAX_EXCHANGES = 50
"""The most that is remembered, also where the context would hold more: every exchange is paid for again each time."""
CHARS_PER_TOKEN = 3
"""Guesses a new message's tokens; what was said before is counted by the model."""


@dataclass(frozen=True)
class Said:
    text: str
    model: str
    provider: str
    finish_reason: str
    usage: Usage


class Conversations:
    """The chats of one gateway, kept in `store`."""

    def __init__(self, store: SessionStore) -> None:
        self.store = store
        self.context_lengths: dict[str, int | None] = {}

    async def reply(
        self, text: Text, model: str, key_id: str, session_id: str | None, message: str
    ) -> tuple[str, Said]:
        """The session (a new one without `session_id`) and the answer. Nothing is kept unless there is an answer."""
        session_id = session_id or f"session_{uuid.uuid4().hex}"
        past = self.store.history(key_id, session_id)
        sent = await self._fitting(text, model, past, message)
        while True:
            try:
                messages = [said for exchange in sent for said in exchange.messages]
                said = await say(text, model, [*messages, {"role": "user", "content": message}])
                break
            except InvalidRequest as error:
                if error.code != "context_length_exceeded" or not sent:
                    raise
                sent = sent[(len(sent) + 1) // 2 :]
        tokens = said.usage.total_tokens - sum(exchange.tokens for exchange in sent)
        exchange = Exchange(0, message, said.text, max(1, tokens))
        self.store.append(key_id, session_id, exchange, oldest=sent[0].number if sent else _after(past))
        return session_id, said

    async def _fitting(self, text: Text, model: str, past: Sequence[Exchange], message: str) -> list[Exchange]:
        """The newest exchanges that leave a quarter of the context to the answer; all, where it is not known."""
        sent = list(past[-MAX_EXCHANGES:])
        context = await self._context_length(text, model) if sent else None
        if context is not None:
            room = context * 3 // 4 - len(message) // CHARS_PER_TOKEN
            while sent and sum(exchange.tokens for exchange in sent) > room:
                sent.pop(0)
        return sent

    async def _context_length(self, text: Text, model: str) -> int | None:
        if model not in self.context_lengths:
            length = (await text.models.model(model)).get("context_length")
            self.context_lengths[model] = length if isinstance(length, int) else None
        return self.context_lengths[model]


def _after(past: Sequence[Exchange]) -> int:
    return past[-1].number + 1 if past else 0


async def say(text: Text, model: str, messages: Sequence[dict[str, str]], **options: Any) -> Said:
    """One answer. Raises UpstreamInvalid when the provider's answer holds none."""
    body = {"model": model, "messages": list(messages), **options}
    answer: Any = orjson.loads(await text.answer("chat/completions", body))
    try:
        choice: Any = answer["choices"][0]
        usage: Any = answer.get("usage") or {}
        asked, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        return Said(
            text=str(choice["message"].get("content") or choice["message"].get("refusal") or ""),
            model=str(answer["model"]),
            provider=answered_by(text),
            finish_reason=str(choice["finish_reason"]),
            usage=Usage(prompt_tokens=asked, completion_tokens=written, total_tokens=asked + written),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UpstreamInvalid("the upstream's answer has no message") from error
