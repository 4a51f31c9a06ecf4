"""Two providers joined: the second answers while the first is down or overloaded."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

from gateway.adapters.pair import Pair, T
from gateway.modality import Account, Modality
from gateway.text import STREAMED, Body, Text, TextPath
from shared.errors import AWAY, ServiceError
from shared.instrument import add_header
from shared.logs import note

HEADER = "x-fallback-provider"
log = logging.getLogger(__name__)


Answer = TypeVar("Answer")


class Either(Pair[T]):
    """Each request goes to `first`, and to `second` when `first` is AWAY before the first piece of its answer.

    A model's name goes through MODEL_ALIASES for either. Where both fail, what the first one said stands.
    """

    def __init__(self, first: T, second: T) -> None:
        super().__init__(first, second)
        self.models = FallbackCatalog(first, second)

    def account_to(self, account: Account) -> None:
        self.first.account_to(account)
        self.second.account_to(account)

    async def resolve(self, name: object) -> str:
        return await self.ask(lambda one: one.resolve(name))

    async def ask(self, asked: Callable[[T], Awaitable[Answer]]) -> Answer:
        return await either(self.first, self.second, asked)

    async def ask_for_pieces(
        self, asked: Callable[[T], AsyncGenerator[Answer, None]], *empty: Answer
    ) -> AsyncGenerator[Answer, None]:
        """`empty` is the one piece of a stream that has none."""
        async with aclosing(asked(self.first)) as pieces:
            try:
                head = await anext(pieces, *empty)
            except AWAY as error:
                failed = error
            else:
                yield head
                async for piece in pieces:
                    yield piece
                return
        async with aclosing(asked(self.second)) as pieces:
            with instead(self.second, failed):
                head = await anext(pieces, *empty)
            yield head
            async for piece in pieces:
                yield piece


class FallbackText(Either[Text]):
    """Embeddings stay with the first: vectors of two models cannot be compared, and an index would fill with both."""

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        if path not in STREAMED:
            return await self.first.answer(path, body, raw)
        return await self.ask(lambda one: one.answer(path, body, raw))

    def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        return self.ask_for_pieces(lambda one: one.stream(path, body), b"")


async def either(first: T, second: T, asked: Callable[[T], Awaitable[Answer]]) -> Answer:
    try:
        return await asked(first)
    except AWAY as error:
        with instead(second, error):
            return await asked(second)


class FallbackCatalog:
    """The first's models; what can be read without it is read from the second while it is away."""

    def __init__(self, first: Modality, second: Modality) -> None:
        self.first = first
        self.second = second

    async def models(self) -> list[dict[str, Any]]:
        return await either(self.first, self.second, lambda one: one.models.models())

    async def model(self, name: str) -> dict[str, Any]:
        try:
            return await self.first.models.model(name)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.models.model(await self.second.resolve(name))

    async def load(self, name: str) -> dict[str, Any]:
        return await self.first.models.load(name)

    async def delete(self, name: str) -> dict[str, Any]:
        return await self.first.models.delete(name)

    async def versions(self, name: str) -> dict[str, Any]:
        return await self.first.models.versions(name)

    async def promote(self, name: str, version: str | None) -> dict[str, Any]:
        return await self.first.models.promote(name, version)

    async def save(self, name: str, new: str) -> dict[str, Any]:
        return await self.first.models.save(name, new)

    async def check_ready(self) -> None:
        await either(self.first, self.second, lambda one: one.models.check_ready())


@contextmanager
def instead(second: Modality, failed: ServiceError) -> Generator[None]:
    """Around what `second` does because the first one `failed`: the answer names it, or the first's error stands."""
    try:
        yield
    except ServiceError as error:
        log.warning("%s could not answer either: %s", second.provider, error)
        raise failed from error
    note(fallback=second.provider, fallback_from=failed.code)
    add_header(HEADER, second.provider)
