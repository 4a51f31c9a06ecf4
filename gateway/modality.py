"""What text, images and audio have in common here: whose the models are, by which names, and what an answer cost."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from gateway.names import ModelNames, wanted


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


class Modality(Protocol):
    """The operations of one modality: a provider's, or two providers joined."""

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

    async def close(self) -> None: ...


class Models(Catalog, Protocol):
    """What answers with them comes with each modality."""

    async def close(self) -> None: ...


M = TypeVar("M", bound=Models)


class OfProvider(Generic[M]):
    """A modality as one provider has it. `default` is the model of requests that name none."""

    setting: ClassVar[str]
    """Where a default can be set."""

    def __init__(self, provider: str, models: M, names: ModelNames, default: str | None) -> None:
        self.provider = provider
        self.models = models
        self.names = names
        self.default = default
        self.account: Account = no_account

    def account_to(self, account: Account) -> None:
        self.account = account

    async def resolve(self, name: object) -> str:
        return await self.names.resolve(wanted(name, self.default, self.setting))

    async def count(self, spent: Spent) -> None:
        SPENT.set(spent)
        await self.account(spent)

    async def close(self) -> None:
        await self.models.close()
