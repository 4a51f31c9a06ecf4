"""What every text request goes through, whichever provider answers: the model's name, the call, the tokens' account."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import orjson

from gateway.names import ModelNames, wanted
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


class Catalog(Protocol):
    """The models of a provider. Errors are ServiceErrors."""

    async def models(self) -> list[dict[str, Any]]:
        """OpenAI's model objects."""
        ...

    async def model(self, name: str) -> dict[str, Any]:
        """One model object, with all that the provider tells. Raises NotFound."""
        ...

    async def load(self, name: str) -> dict[str, Any]:
        """The same, once the model can answer without a wait."""
        ...

    async def delete(self, name: str) -> dict[str, Any]:
        """OpenAI's word that the model is gone. Raises NotFound, or Forbidden for what is not the caller's."""
        ...

    async def versions(self, name: str) -> dict[str, Any]:
        """A list of the versions of a published model. Raises NotFound, Forbidden or UnsupportedByProvider."""
        ...

    async def promote(self, name: str, version: str | None) -> dict[str, Any]:
        """The version that is served from now on: this one, or for None the one before. Raises as `versions`."""
        ...

    async def save(self, name: str, new: str) -> dict[str, Any]:
        """The version that it became under the name `new`. Raises NotFound, InvalidRequest or UnsupportedByProvider."""
        ...

    async def check_ready(self) -> None:
        """Raises NotReady, UpstreamFailed or UpstreamTimeout."""
        ...


class TextModel(Catalog, Protocol):
    """Text of one provider. Errors are ServiceErrors; closing a stream closes the provider's at once."""

    async def answer(self, call: Call) -> bytes:
        """OpenAI's JSON."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        """Server-sent events as bytes, cut anywhere; an early failure is raised before the first bytes."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Spent:
    """What one answer cost."""

    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    images: int = 0
    """Pictures that were made."""
    seconds: int = 0
    """Of sound, made or heard."""
    work: str = ""
    """What kind of it: the prices of OpenAI's models differ."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


Account = Callable[[Spent], Awaitable[None]]


async def no_account(spent: Spent) -> None:
    """For a back end that uses the adapter without a gateway: nobody counts."""


SPENT: ContextVar[Spent | None] = ContextVar("spent", default=None)
"""What the latest answer in this context cost, and who gave it."""


class Text(Protocol):
    """The text operations of the gateway: a provider's, or two providers joined."""

    @property
    def provider(self) -> str:
        """Who answers as a rule; SPENT tells who did."""
        ...

    @property
    def models(self) -> Catalog: ...

    @property
    def names(self) -> ModelNames: ...

    @property
    def default(self) -> str | None:
        """The model of requests that name none."""
        ...

    def account_to(self, account: Account) -> None:
        """Tell `account` what each answer cost."""
        ...

    async def resolve(self, name: object) -> str:
        """The provider's name for what the client calls `name`. Raises InvalidRequest or NotFound on `model`."""
        ...

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        """The provider's JSON answer to `body`; raises ServiceErrors."""
        ...

    def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        """Whole events up to [DONE]; a usage event only if `stream_options` asks for it. Raises ServiceErrors."""
        ...

    async def close(self) -> None: ...


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


class ProviderText:
    """Text of one provider. `default` is the model of requests that name none."""

    def __init__(self, provider: str, models: TextModel, names: ModelNames, default: str | None) -> None:
        self.provider = provider
        self.models = models
        self.names = names
        self.default = default
        self.account: Account = no_account

    def account_to(self, account: Account) -> None:
        self.account = account

    async def resolve(self, name: object) -> str:
        """The provider's name for what the client calls `name`. Raises InvalidRequest or NotFound on `model`."""
        return await self.names.resolve(wanted(name, self.default, "MODEL_TEXT"))

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        """The provider's JSON answer to `body`; raises ServiceErrors."""
        model = await self.resolve(body.get("model"))
        if model != body.get("model"):
            body, raw = {**body, "model": model}, None
        answer = await self.models.answer(Call(path, body, raw))
        await self._count(self._spent(answer, model))
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
                await self._count(self._spent_so_far(cutter, call))

    async def close(self) -> None:
        await self.models.close()

    async def _count(self, spent: Spent) -> None:
        SPENT.set(spent)
        await self.account(spent)

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
