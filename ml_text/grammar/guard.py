"""One answer in the making, and the path that would close it.

`Guard` keeps, next to the state of the grammar, tokens that would complete the document from here. A sampled token is
taken only if a path of the new state still fits in what is left of the budget; else the next token of the old path
is emitted instead, and the model goes on from there. Most tokens leave the old path (or its end) valid, which one
call checks exactly; only what opens something new walks, and only until it meets the old path again.
"""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor

from shared.errors import ServiceError

MAX_SKIPPED = 8
"""How many tokens of the old path one sampled token may stand for (a long number for its digits)."""
FILLERS = b"0@.-:/123456789TZabcdefghijklmnopqrstuvwyxABCDEFGHIJKLMNOPQRSUVWXYz !#$%&'()*+;<=>?^_`|~"
"""What a path tries inside a value that may not end yet; separators early, so that formats end soon."""

TEXT_ONLY = b"Z~az ._x/@"
"""Bytes that nothing but a string's content starts with or goes on with."""
OPENERS = b"[{"
TURN = 1000
COSTS = {byte: FILLERS.find(byte) if byte in FILLERS else 8 * TURN + byte for byte in range(256) if byte not in OPENERS}
COSTS |= dict.fromkeys(OPENERS, 1000 * TURN)
"""Fillers in turns, escapes and other characters every eighth turn, what opens a bracket last."""
MAX_CHOICES = 10
"""How many fillers are tried for one after which the value may end."""


@dataclass(frozen=True)
class Vocabulary:
    tokens: LLTokenizer
    size: int
    """The width of the logits."""
    eos_ids: tuple[int, ...]
    byte_ids: dict[int, int]
    """byte -> the token that spells it alone."""


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
        self._bits = np.zeros((vocabulary.size + 31) // 32, dtype=np.uint32)
        self._address = self._bits.ctypes.data

    def mask(self) -> Tensor:
        """What may come next: (V,) bool, new at every call."""
        self._matcher.unsafe_compute_mask_ptr(self._address, self._bits.nbytes)
        if self._closing or self._matcher.is_error():
            self._closing = True
            self._bits[:] = 0
            self._bits[self._path[0] >> 5] = 1 << (self._path[0] & 31)
        allowed = np.unpackbits(self._bits.view(np.uint8), count=self._vocabulary.size, bitorder="little")
        return torch.from_numpy(allowed.view(np.bool_))

    def admit(self, token: int) -> int:
        """The token to emit: `token`, or the closing path's when the budget would not hold. Sets `done`.

        Raises ServiceError when `token` is not one that the last `mask` allowed.
        """
        if not int(self._bits[token >> 5]) >> (token & 31) & 1:
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
    """Tokens that complete the document from `matcher`, then an end token; None if more than `limit` are needed.

    `matcher` walks and comes back, unless it hits one of its limits. `known` is a path of the state one token before.
    `deadline_s` bounds the CPU time; without it the answer depends on the arguments alone: same seed, same text.
    """
    known = list(known) or [vocabulary.eos_ids[0]]
    end = None if deadline_s is None else time.thread_time() + deadline_s
    head: list[int] = []
    used: Counter[int] = Counter()
    while (tail := _tail(matcher, known)) is None:
        step = matcher.compute_ff_tokens() or _next_token(vocabulary, matcher, used)
        late = end is not None and time.thread_time() > end
        if late or not step or len(head) + len(step) > limit or not matcher.consume_tokens(step):
            break
        head += step
    if matcher.is_error():
        return None
    matcher.rollback(len(head))
    if tail is None or len(head) + len(tail) - 1 > limit:
        return None
    return _respelled(vocabulary, matcher, head) + tail


def _tail(matcher: LLMatcher, known: list[int]) -> list[int] | None:
    """An end of `known`, all but its first few tokens, that completes the document from `matcher`."""
    if matcher.is_error():
        return None
    if matcher.is_accepting() or matcher.is_stopped():
        return known[-1:]
    found: list[int] | None = None
    for skipped in range(min(len(known), MAX_SKIPPED + 1)):
        tail = known[skipped:]
        if matcher.validate_tokens(tail) == len(tail):
            found = tail
        elif found:  # a shorter one mostly comes right after, when fillers are no longer needed
            break
    return found


def _next_token(vocabulary: Vocabulary, matcher: LLMatcher, used: Counter[int]) -> list[int]:
    """The token that seems to end the document soonest; [] when nothing may follow."""
    ids = vocabulary.byte_ids

    def legal(byte: int) -> bool:
        return byte in ids and matcher.validate_tokens([ids[byte]]) == 1

    # inside a string brackets are only letters, and the quote alone closes
    in_text = any(legal(byte) for byte in TEXT_ONLY)
    for byte in b'"' if in_text else b'}]",:':
        if used[byte] < 64 and legal(byte):
            if byte == ord('"'):
                used.clear()  # another value, another alphabet
            used[byte] += 1
            return [ids[byte]]
    ends = [*(ids[byte] for byte in (b'"' if in_text else b'"}],') if byte in ids), vocabulary.eos_ids[0]]
    costs = COSTS | {
        byte: COSTS[byte] + count * (TURN if byte in FILLERS else 8 * TURN) for byte, count in used.items()
    }
    order = (byte for byte in sorted(costs, key=costs.__getitem__) if legal(byte))
    choices = list(itertools.islice(order, MAX_CHOICES))
    if not choices:  # a tokenizer that cannot spell every byte: any piece
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        return np.flatnonzero(np.unpackbits(bits, count=vocabulary.size, bitorder="little"))[:1].tolist()
    values = [byte for byte in choices if byte not in OPENERS]
    last = (byte for byte in values if any(matcher.validate_tokens([ids[byte], end]) == 2 for end in ends))
    byte = next(last, choices[0])
    used[byte] += 1
    return [ids[byte]]


def _respelled(vocabulary: Vocabulary, matcher: LLMatcher, path: list[int]) -> list[int]:
    """`path` in the tokenizer's own, shorter spelling, where the grammar takes that too."""
    if len(path) < 3:
        return path
    spelled = vocabulary.tokens.decode_bytes(path)
    shorter = vocabulary.tokens.tokenize_bytes(spelled)
    same = len(shorter) < len(path) and vocabulary.tokens.decode_bytes(shorter) == spelled
    return shorter if same and matcher.validate_tokens(shorter) == len(shorter) else path
