"""What every text request goes through, whichever provider answers: the model's name, the call, the tokens' account."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import orjson

from gateway.modality import SPENT, Modality, Models, OfProvider, Spent
from gateway.stream import EventCutter
from shared.body import encode
from shared.errors import InvalidRequest, UpstreamFailed

TextPath = Literal["chat/completions", "completions", "embeddings"]
STREAMED: frozenset[TextPath] = frozenset({"chat/completions", "completions"})
"""What may be asked for as a stream."""
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a text model."""

    path: TextPath
    body: Body
    raw: bytes | None = None
    """`body` as the client wrote it, while it still says the same."""

    def encode(self) -> bytes:
        return encode(self.body) if self.raw is None else self.raw


class TextModel(Models, Protocol):
    """Text of one provider. Errors are ServiceErrors; closing a stream closes the provider's at once."""

    async def answer(self, call: Call) -> bytes:
        """OpenAI's JSON."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        """Server-sent events as bytes, cut anywhere; an early failure is raised before the first bytes."""
        ...


class Text(Modality, Protocol):
    """The text operations of the gateway: a provider's, or two providers joined."""

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        """The provider's JSON answer to `body`; raises ServiceErrors."""
        ...

    def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        """Whole events up to [DONE]; a usage event only if `stream_options` asks for it. Raises ServiceErrors."""
        ...


def answered_by(text: Text) -> str:
    """The provider that gave the latest answer of `text` in this context."""
    spent = SPENT.get()
    return spent.provider if spent else text.provider


def stream_options(body: Body) -> tuple[Body, bool]:
    """`stream_options` and whether they ask for usage; checked here, since we ask for it ourselves. InvalidRequest."""
    options: Any = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise InvalidRequest("`stream_options` must be an object", param="stream_options")
    wanted: Any = cast(Body, options).get("include_usage")
    if not isinstance(wanted, bool | None):
        raise InvalidRequest("`include_usage` must be true or false", param="stream_options.include_usage")
    return cast(Body, options), bool(wanted)


class ProviderText(OfProvider[TextModel]):
    setting = "MODEL_TEXT"

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        """The provider's JSON answer to `body`; raises ServiceErrors."""
        model = await self.resolve(body.get("model"))
        if model != body.get("model"):
            body, raw = {**body, "model": model}, None
        answer = await self.models.answer(Call(path, body, raw))
        await self.count(self._spent(answer, model))
        return answer

    async def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        """Whole events up to [DONE]; a usage event only if `stream_options` asks for it. Raises ServiceErrors."""
        model = await self.resolve(body.get("model"))
        options, wanted = stream_options(body)
        call = Call(path, {**body, "model": model, "stream_options": {**options, "include_usage": True}})
        cutter = EventCutter(wanted)
        try:
            async with aclosing(self.models.stream(call)) as pieces:
                async for piece in pieces:
                    block = cutter.feed(piece)
                    if block:
                        yield block
                    if cutter.ended:
                        break
            cutter.finish()
        finally:
            if cutter.events:
                await self.count(self._spent_so_far(cutter, call))

    def _spent(self, answer: bytes, model: str) -> Spent:
        try:
            parsed: Any = orjson.loads(answer)
            usage: Any = parsed.get("usage") or {}
            spent = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
            return Spent(self.provider, str(parsed.get("model") or model), *spent)
        except (ValueError, TypeError, AttributeError) as error:
            raise UpstreamFailed("the upstream's answer is not what OpenAI's would be") from error

    def _spent_so_far(self, cutter: EventCutter, call: Call) -> Spent:
        """From the usage event; when the client left before it, about a token per event and per 4 bytes of prompt."""
        model = cutter.model or call.body["model"]
        usage = cutter.usage
        if usage is None:
            return Spent(self.provider, model, len(call.encode()) // 4, cutter.events)
        return Spent(
            self.provider, model, int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        )
