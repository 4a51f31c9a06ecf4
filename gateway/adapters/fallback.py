"""Two providers joined: the second answers while the first is down or overloaded."""

import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from typing import Any, Protocol

from gateway.names import ModelNames
from gateway.text import STREAMED, Account, Body, Catalog, Text, TextPath
from shared.errors import NotReady, Overloaded, ServiceError, UpstreamFailed
from shared.instrument import add_header
from shared.logs import note

AWAY = (UpstreamFailed, NotReady, Overloaded)
"""502, 504, 503 and 429. Any other error is an answer, and would be no better elsewhere."""
HEADER = "x-fallback-provider"
log = logging.getLogger(__name__)


class FallbackText:
    """Each request goes to `first`, and to `second` when `first` is AWAY before the first byte of its answer.

    A model's name goes through MODEL_ALIASES for either. Where both fail, what the first one said stands. Embeddings
    stay with the first: vectors of two models cannot be compared, and an index would fill with both.
    """

    def __init__(self, first: Text, second: Text) -> None:
        self.first = first
        self.second = second
        self.models = FallbackCatalog(first, second)

    @property
    def provider(self) -> str:
        return self.first.provider

    @property
    def names(self) -> ModelNames:
        return self.first.names

    @property
    def default(self) -> str | None:
        return self.first.default

    def account_to(self, account: Account) -> None:
        self.first.account_to(account)
        self.second.account_to(account)

    async def resolve(self, name: object) -> str:
        try:
            return await self.first.resolve(name)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.resolve(name)

    async def answer(self, path: TextPath, body: Body, raw: bytes | None = None) -> bytes:
        if path not in STREAMED:
            return await self.first.answer(path, body, raw)
        try:
            return await self.first.answer(path, body, raw)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.answer(path, body, raw)

    async def stream(self, path: TextPath, body: Body) -> AsyncGenerator[bytes, None]:
        async with aclosing(self.first.stream(path, body)) as blocks:
            try:
                head = await anext(blocks, b"")
            except AWAY as error:
                failed = error
            else:
                yield head
                async for block in blocks:
                    yield block
                return
        async with aclosing(self.second.stream(path, body)) as blocks:
            with instead(self.second, failed):
                head = await anext(blocks, b"")
            yield head
            async for block in blocks:
                yield block

    async def close(self) -> None:
        await self.first.close()
        await self.second.close()


class Joined(Protocol):
    """What text and images have in common here."""

    @property
    def provider(self) -> str: ...

    @property
    def models(self) -> Catalog: ...

    async def resolve(self, name: object) -> str: ...


class FallbackCatalog:
    """The first's models; what can be read without it is read from the second while it is away."""

    def __init__(self, first: Joined, second: Joined) -> None:
        self.first = first
        self.second = second

    async def models(self) -> list[dict[str, Any]]:
        try:
            return await self.first.models.models()
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.models.models()

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
        try:
            await self.first.models.check_ready()
        except AWAY as error:
            with instead(self.second, error):
                await self.second.models.check_ready()


@contextmanager
def instead(second: Joined, failed: ServiceError) -> Generator[None]:
    """Around what `second` does because the first one `failed`: the answer names it, or the first's error stands."""
    try:
        yield
    except ServiceError as error:
        log.warning("%s could not answer either: %s", second.provider, error)
        raise failed from error
    note(fallback=second.provider, fallback_from=failed.code)
    add_header(HEADER, second.provider)
