"""Two providers of images joined: the second answers while the first is down or overloaded."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.adapters.fallback import AWAY, FallbackCatalog, instead
from gateway.images import ImageCall, Images, Json
from gateway.names import ModelNames
from gateway.text import Account


class FallbackImages:
    """By the rules of FallbackText."""

    def __init__(self, first: Images, second: Images) -> None:
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

    async def answer(self, call: ImageCall) -> Json:
        try:
            return await self.first.answer(call)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.answer(call)

    async def stream(self, call: ImageCall) -> AsyncGenerator[Json, None]:
        async with aclosing(self.first.stream(call)) as events:
            try:
                head = await anext(events)
            except AWAY as error:
                failed = error
            else:
                yield head
                async for event in events:
                    yield event
                return
        async with aclosing(self.second.stream(call)) as events:
            with instead(self.second, failed):
                head = await anext(events)
            yield head
            async for event in events:
                yield event

    async def close(self) -> None:
        await self.first.close()
        await self.second.close()
