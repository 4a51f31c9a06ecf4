"""One answer in the making: its tokens so far, what may end it, and what is to be sent."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from torch import Tensor

from ml_text.detokenize import TextStream
from ml_text.sampling import Sampler, Sampling

GREEDY = Sampling(temperature=0)


class Guard(Protocol):
    """What a grammar does to one request's tokens."""

    done: bool

    def mask(self) -> Tensor: ...
    def admit(self, token: int) -> int: ...


@dataclass
class Delta:
    """What one step adds to an answer; the last one has `finish_reason`."""

    text: str = ""
    finish_reason: str | None = None
    tokens: int = 0
    """Tokens generated so far."""
    error: Exception | None = None


@dataclass(eq=False)
class Job:
    """One answer to make. `emit` is called in the batcher's thread, at most once per step."""

    prompt_ids: list[int]
    max_tokens: int
    sampler: Sampler
    text: TextStream
    emit: Callable[[Delta], None]
    guard: Guard | None = None
    end_ids: frozenset[int] = frozenset()
    group: str = ""
    stream: bool = True
    """False: one delta with the whole text at the end."""
    cancelled: bool = False
    output_ids: list[int] = field(default_factory=list[int])
    read: int = 0
    """Prompt tokens that are in the cache."""
    parts: list[str] = field(default_factory=list[str])

    @cached_property
    def plain(self) -> bool:
        """Whether the likeliest token is the answer, which one call finds for all rows."""
        return self.guard is None and replace(self.sampler.sampling, seed=None) == GREEDY

    @property
    def length(self) -> int:
        """Positions in the cache: all but the newest token."""
        return len(self.prompt_ids) + max(len(self.output_ids) - 1, 0)

    @property
    def mask(self) -> Tensor | None:
        """(V,) bool: what the grammar allows next."""
        return self.guard.mask() if self.guard else None

    def add(self, token: int) -> Delta | None:
        """Take the next token; what is to be sent for it, if anything."""
        closed = False
        if self.guard is not None:
            token = self.guard.admit(token)
            closed = self.guard.done
        self.output_ids.append(token)
        ended = closed or token in self.end_ids
        full = len(self.output_ids) >= self.max_tokens
        text = "" if token in self.end_ids else self.text.push(token)
        if ended or full or self.text.stopped:
            text += self.text.finish()  # may complete a stop string too
        reason = "stop" if ended or self.text.stopped else "length" if full else None
        if not self.stream:
            self.parts.append(text)
            return Delta("".join(self.parts), reason, len(self.output_ids)) if reason else None
        return Delta(text, reason, len(self.output_ids)) if text or reason else None
