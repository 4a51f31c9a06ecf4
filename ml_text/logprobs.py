"""Log-probabilities of tokens: of the model's own distribution, before temperature, penalties, bias or a grammar.

They are collected where the logits are, and sent along with the text they belong to.
"""

import codecs
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = -9999.0
"""Sent for a probability of nothing, as OpenAI does: JSON has no infinity."""


@dataclass(frozen=True)
class TokenLogprob:
    """One token, in nats; `top` are the likeliest at its place, the most likely first."""

    spelled: bytes
    logprob: float | None
    """None for the first token of a prompt, which nothing foretold."""
    top: tuple[tuple[bytes, float], ...] = ()


class Logprobs:
    """Those of one request: `top` alternatives for each token of the answer, and of the prompt if it is scored."""

    def __init__(self, top: int, of_prompt: bool, spell: Callable[[int], bytes]) -> None:
        self._top, self._of_prompt, self._spell = top, of_prompt, spell
        self._pending: deque[tuple[int, TokenLogprob]] = deque()  # with the character of the answer where each begins
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._noted = 0
        self._sent = 0
        self.prompt: list[TokenLogprob] = []
        """Complete before the first delta."""

    def positions(self, count: int) -> int:
        """How many of the last positions' logits are needed of a piece of the prompt, `count` tokens long."""
        return count if self._of_prompt else 1

    def read(self, logits: Tensor, ids: Sequence[int], following: int | None) -> None:
        """A piece of the prompt: `ids`, the logits (Q, V) at them, and the token after them, if there is one."""
        if not self._of_prompt:
            return
        if not self.prompt:
            self.prompt.append(TokenLogprob(self._spell(ids[0]), None))
        targets = [*ids[1:], *([] if following is None else [following])]
        if targets:
            self.prompt += self._rank(logits[: len(targets)], targets)

    def note(self, logits: Tensor, token: int) -> None:
        """The answer's next token, picked from `logits` (V,)."""
        (found,) = self._rank(logits.unsqueeze(0), [token])
        self._pending.append((self._noted, found))
        self._noted += len(self._decoder.decode(found.spelled))

    def release(self, text: str, cut: bool) -> list[TokenLogprob]:
        """The tokens of `text`, which is being sent; with `cut` a stop string ended it, and what follows is dropped."""
        self._sent += len(text)
        released: list[TokenLogprob] = []
        while self._pending and self._pending[0][0] < self._sent:
            released.append(self._pending.popleft()[1])
        if cut:
            self._pending.clear()
        return released

    def rest(self) -> list[TokenLogprob]:
        """What is left at the end: tokens of no text, or of half a character."""
        left = [found for _, found in self._pending]
        self._pending.clear()
        return left

    def _rank(self, logits: Tensor, tokens: Sequence[int]) -> list[TokenLogprob]:
        """(Q, V) logits and their Q tokens."""
        logs = torch.log_softmax(logits.float(), dim=-1)
        own = logs.gather(1, torch.tensor(tokens, device=logs.device).unsqueeze(1)).squeeze(1).tolist()
        best = logs.topk(min(self._top, logs.shape[1]), dim=-1)
        return [
            TokenLogprob(
                self._spell(token),
                max(logprob, LEAST),
                tuple((self._spell(id), max(value, LEAST)) for id, value in zip(ids, values, strict=True)),
            )
            for token, logprob, ids, values in zip(
                tokens, own, best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]
