"""One answer in the making, and the path that would close it.

`Guard` keeps, next to the state of the grammar, tokens that would complete the document from here. A sampled token is
taken only if a path of the new state still fits in what is left of the budget; else the next token of the old path
is emitted instead, and the model goes on from there. Most tokens leave the old path (or its end) valid, which one
call checks exactly; only what opens something new walks, and only until it meets the old path again.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import ServiceError

MAX_SKIPPED = 8
"""How many tokens of the old path one sampled token may stand for (a long number for its digits)."""
FILLERS = b"0@.-:/123456789TZabcdefghijklmnopqrstuvwyxABCDEFGHIJKLMNOPQRSUVWXYz"
"""What a path tries inside a value that may not end yet; separators early, so that formats end soon."""


@dataclass(frozen=True)
class Vocabulary:
    tokens: LLTokenizer
    size: int
    """The width of the logits."""
    eos_ids: tuple[int, ...]
    byte_ids: NDArray[np.int64]
    """(256,) the token that spells each byte alone, -1 where there is none."""

    def legal_bytes(self, matcher: LLMatcher) -> tuple[frozenset[int], NDArray[np.uint8]]:
        """The bytes that single tokens may add to `matcher`, and its whole mask, 8 tokens per byte."""
        words = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        bits = words[self.byte_ids >> 3] >> (self.byte_ids & 7).astype(np.uint8) & 1
        return frozenset(np.flatnonzero(bits * (self.byte_ids >= 0)).tolist()), words


class Guard:
    """Per step: `mask`, sample, `admit`; until `done`. The end token costs budget only when the model samples it: a
    document that cannot go on is done without one."""

    def __init__(self, vocabulary: Vocabulary, matcher: LLMatcher, path: list[int], max_tokens: int) -> None:
        """`path` completes the document from `matcher`, in at most `max_tokens`, and then has an end token."""
        self.left = max_tokens
        self.done = False
        self.forced = 0
        """How many sampled tokens gave way to the closing path."""
        self._vocabulary = vocabulary
        self._matcher = matcher
        self._path = path
        self._closing = False  # the matcher hit a limit: the path is all that is known to be valid
        self._bits = np.zeros((vocabulary.size + 31) // 32, dtype=np.int32)

    def mask(self) -> Tensor:
        """What may come next: (V,) bool, new at every call."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self._closing or self._matcher.is_error():
            self._closing = True
            self._bits[:] = 0
            self._bits[self._path[0] >> 5] = np.uint32(1 << (self._path[0] & 31)).view(np.int32)
        allowed = np.unpackbits(self._bits.view(np.uint8), count=self._vocabulary.size, bitorder="little")
        return torch.from_numpy(allowed.view(np.bool_))

    def admit(self, token: int) -> int:
        """The token to emit: `token`, or the closing path's when the budget would not hold. Sets `done`.

        Raises ServiceError when `token` is not one that the last `mask` allowed.
        """
        if not self._bits[token >> 5] >> (token & 31) & 1:
            raise ServiceError(f"token {token} was sampled against the mask", code="broken_grammar")
        if token in self._vocabulary.eos_ids:
            self.done = True
            return token
        path = None if self._closing else self._path_after(token)
        if path is None:
            self.forced += 1
            token, path = self._path[0], self._path[1:]
            if not path:  # it was complete, and what the model wanted to add does not fit
                self.done = True
                return token
            # a matcher that hit a limit never recovers; the path was checked before that
            self._closing = self._closing or self._matcher.is_error() or not self._matcher.consume_token(token)
        self._path = path
        self.left -= 1
        complete = len(path) == 1
        self.done = complete and (self._closing or self.left == 0 or self._matcher.is_stopped())
        return token

    def _path_after(self, token: int) -> list[int] | None:
        """Advance by `token` and return a path that fits from there; None, and the old state, when there is none."""
        if not self._matcher.consume_token(token):
            return None
        path = closing_path(self._vocabulary, self._matcher, self.left - 1, self._path)
        if path is None and not self._matcher.is_error():
            self._matcher.rollback(1)
        return path


def closing_path(
    vocabulary: Vocabulary,
    matcher: LLMatcher,
    limit: int,
    known: Sequence[int] = (),
    deadline_s: float | None = None,
) -> list[int] | None:
    """Tokens that complete the document from `matcher` (left as it is), then an end token; None if more than `limit`.

    `known` is a path of the state one token before. `deadline_s` bounds the time; without it the answer depends on
    the arguments alone, as same seed, same text asks for.
    """
    known = list(known) or [vocabulary.eos_ids[0]]
    end = None if deadline_s is None else time.monotonic() + deadline_s
    head: list[int] = []
    used: Counter[int] = Counter()
    walker: LLMatcher | None = None
    while len(head) <= limit:
        tail = _tail(walker or matcher, known)
        if tail is not None:
            path = _respelled(vocabulary, matcher, head) + tail
            return path if len(path) - 1 <= limit else None
        walker = walker or matcher.deep_copy()
        step = walker.compute_ff_tokens() or _next_token(vocabulary, walker, used)
        if not step or not walker.consume_tokens(step) or (end is not None and time.monotonic() > end):
            return None
        head += step
    return None


def _tail(matcher: LLMatcher, known: list[int]) -> list[int] | None:
    """An end of `known`, all but its first few tokens, that completes the document from `matcher`."""
    if matcher.is_error():
        return None
    if matcher.is_accepting() or matcher.is_stopped():
        return known[-1:]
    for skipped in range(min(len(known), MAX_SKIPPED + 1)):
        tail = known[skipped:]
        if matcher.validate_tokens(tail) == len(tail):
            return tail
    return None


def _next_token(vocabulary: Vocabulary, matcher: LLMatcher, used: Counter[int]) -> list[int]:
    """The token that seems to end the document soonest; [] when nothing may follow."""
    legal, words = vocabulary.legal_bytes(matcher)
    in_text = b"Z"[0] in legal or b"~"[0] in legal
    # inside a string brackets are only letters, and the quote alone closes
    for byte in b'"' if in_text else b'}],:"':
        if byte in legal and used[byte] < 64:
            if byte == b'"'[0]:
                used.clear()  # another value, another alphabet
            break
    else:
        order = [byte for byte in FILLERS if byte in legal] or sorted(legal - set(b"[{\\")) or sorted(legal)
        if not order:
            whole = np.flatnonzero(np.unpackbits(words, count=vocabulary.size, bitorder="little"))
            return [int(token) for token in whole[:1]]
        byte = min(order, key=lambda byte: used[byte])
    used[byte] += 1
    return [int(vocabulary.byte_ids[byte])]


def _respelled(vocabulary: Vocabulary, matcher: LLMatcher, path: list[int]) -> list[int]:
    """`path` in the tokenizer's own, shorter spelling, where the grammar takes that too."""
    if len(path) < 3:
        return path
    spelled = vocabulary.tokens.decode_bytes(path)
    shorter = vocabulary.tokens.tokenize_bytes(spelled)
    same = len(shorter) < len(path) and vocabulary.tokens.decode_bytes(shorter) == spelled
    return shorter if same and matcher.validate_tokens(shorter) == len(shorter) else path
