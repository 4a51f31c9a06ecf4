"""Fine-tuning jobs, whichever provider trains. A job belongs to the key that made it; another key's does not exist."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gateway.keys import LOCAL, Key

Answer = dict[str, Any]
"""In OpenAI's shape."""
Verb = Literal["pause", "resume", "cancel"]


@dataclass(frozen=True)
class Asker:
    """Who asks, and what tells a repeated create from a new one."""

    key: Key = LOCAL
    idempotency_key: str | None = None
    retried: bool = False

    @property
    def organization(self) -> str:
        """How the key is called in model names; two keys of one name differ."""
        return self.key.name if self.key == LOCAL else f"{self.key.name}-{self.key.id[-4:]}"


class Tuning(Protocol):
    """Errors are ServiceErrors; NotFound also for another key's job."""

    async def create(self, asker: Asker, body: Mapping[str, Any]) -> Answer:
        """The new job, or the one that an earlier try of the same request made."""
        ...

    async def list_jobs(self, asker: Asker, after: str | None, limit: int, metadata: Mapping[str, str]) -> Answer:
        """Newest first."""
        ...

    async def get(self, asker: Asker, id: str) -> Answer: ...

    async def events(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer:
        """Newest first."""
        ...

    def follow(self, asker: Asker, id: str, after: str | None) -> AsyncGenerator[bytes, None]:
        """The events so far, oldest first, and those to come, as server-sent events until the job has ended."""
        ...

    async def checkpoints(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer: ...

    async def act(self, asker: Asker, id: str, verb: Verb) -> Answer:
        """The job after it was asked to pause, go on or end."""
        ...

    async def close(self) -> None: ...
