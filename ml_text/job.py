"""One answer in the making: its tokens so far, what may end it, and what is to be sent."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from ml_text.detokenize import TextStream
from ml_text.logprobs import Logprobs, TokenLogprob
from ml_text.sampling import Sampler, Sampling

GREEDY = Sampling(temperature=0)


class Guard(Protocol):
    """What a grammar does to one request's tokens."""

    done: bool

    def mask(self) -> Tensor: ...
    def admit(self, token: int) -> int: ...


@dataclass(frozen=True)
class Beams:
    """How to search for the likeliest answer. `answers`, at most `width`, are told, the best first."""

    width: int
    answers: int = 1
    length_penalty: float = 1.0
    """The exponent of the length by which a sum of log-probabilities is divided: above 0 longer ones gain."""
    early_stopping: bool | Literal["never"] = False
    """True: end with `width` finished answers. False, "never": while a better one is likely, or possible at all."""


@dataclass
class Delta:
    """What one step adds to an answer; the last one has `finish_reason`."""

    text: str = ""
    finish_reason: str | None = None
    tokens: int = 0
    """Tokens generated so far."""
    logprobs: list[TokenLogprob] = field(default_factory=list[TokenLogprob])
    """Of the tokens of `text`, when they were asked for."""
    error: Exception | None = None
    choice: int = 0
    """Of a request with several answers, which."""


@dataclass(eq=False)
class Job:
    """One answer to make. `emit` is called in the batcher's thread, at most once per step."""

    prompt_ids: list[int]
    """What the (decoder's) answer goes on from."""
    max_tokens: int
    sampler: Sampler
    text: TextStream
    emit: Callable[[Delta], None]
    guard: Guard | None = None
    logprobs: Logprobs | None = None
    source_ids: list[int] | None = None
    """What an encoder is to read."""
    beams: Beams | None = None
    end_ids: frozenset[int] = frozenset()
    group: str = ""
    stream: bool = True
    """False: one delta with the whole text at the end."""
    cancelled: bool = False
    output_ids: list[int] = field(default_factory=list[int])
    read: int = 0
    """Prompt tokens that are in the cache."""
    parts: list[str] = field(default_factory=list[str])
    scored: list[TokenLogprob] = field(default_factory=list[TokenLogprob])

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

    def source(self, device: torch.device) -> Tensor | None:
        """(1, E), with the first piece of the prompt."""
        return torch.tensor([self.source_ids], device=device) if self.source_ids and not self.read else None

    def score_prompt(self, logits: Tensor, count: int) -> None:
        """A piece of the prompt was read: the next `count` tokens, with logits (Q, V)."""
        if self.logprobs is not None:
            after = self.read + count
            following = self.prompt_ids[after] if after < len(self.prompt_ids) else None
            self.logprobs.read(logits, self.prompt_ids[self.read : after], following)

    def close(self) -> Delta:
        """The end of an answer of no tokens."""
        return Delta("", "length")

    def add(self, token: int, logits: Tensor) -> Delta | None:
        """Take the next token, picked from `logits` (V,); what is to be sent for it, if anything."""
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
        scored = [] if self.logprobs is None else self._score(self.logprobs, logits, token, text, reason)
        if not self.stream:
            self.parts.append(text)
            self.scored += scored
            return Delta("".join(self.parts), reason, len(self.output_ids), self.scored) if reason else None
        return Delta(text, reason, len(self.output_ids), scored) if text or reason else None

    def _score(
        self, logprobs: Logprobs, logits: Tensor, token: int, text: str, reason: str | None
    ) -> list[TokenLogprob]:
        """Those of the tokens in `text`, `token` being the newest."""
        if token not in self.end_ids:
            logprobs.note(logits, token)
        if not text and not reason:
            return []
        released = logprobs.release(text, cut=self.text.stopped)
        return [*released, *logprobs.rest()] if reason else released
