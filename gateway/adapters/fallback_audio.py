"""Two providers of audio joined: the second answers while the first is down or overloaded."""

from gateway.adapters.fallback import AWAY, FallbackCatalog, instead
from gateway.audio import Audio, AudioCall, AudioModel, Sound
from gateway.names import ModelNames
from gateway.text import Account


class FallbackAudio:
    """By the rules of FallbackText; voices are the first one's."""

    def __init__(self, first: Audio, second: Audio) -> None:
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

    @property
    def speakers(self) -> AudioModel:
        return self.first.speakers

    def account_to(self, account: Account) -> None:
        self.first.account_to(account)
        self.second.account_to(account)

    async def resolve(self, name: object) -> str:
        try:
            return await self.first.resolve(name)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.resolve(name)

    async def open(self, call: AudioCall) -> Sound:
        try:
            return await self.first.open(call)
        except AWAY as error:
            with instead(self.second, error):
                return await self.second.open(call)

    async def close(self) -> None:
        await self.first.close()
        await self.second.close()
