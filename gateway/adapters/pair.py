"""Two providers of one modality joined. Names and defaults are the first's."""

from typing import Generic, TypeVar

from gateway.modality import Modality
from gateway.names import ModelNames

T = TypeVar("T", bound=Modality)


class Pair(Generic[T]):
    """What is asked of which, its subclasses say."""

    def __init__(self, first: T, second: T) -> None:
        self.first = first
        self.second = second

    @property
    def provider(self) -> str:
        return self.first.provider

    @property
    def names(self) -> ModelNames:
        return self.first.names

    @property
    def default(self) -> str | None:
        return self.first.default

    async def close(self) -> None:
        await self.first.close()
        await self.second.close()
