"""Structured output: a JSON schema becomes a token mask per step, and the document always closes in its budget.

`Guard` keeps, next to the state of the grammar, one path of tokens that would complete the document from here. A
sampled token is taken only if a path of the new state still fits in what is left of `max_tokens`; else the next token
of the old path is emitted instead. So a document is complete and valid, or refused before its first token.
"""

import json
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from shared.errors import InvalidRequest, ServiceError

CACHED = 64
MAX_SCHEMA_CHARS = 256_000
MAX_CLOSING = 4096
"""The longest shortest document, in tokens, that is accepted at all."""
LIMITS = LLParserLimits(verbose_errors=False)
CLOSERS = b'"}],:'
FILLERS = b"0@.-:/123456789TZabcdefghijklmnopqrstuvwyxABCDEFGHIJKLMNOPQRSUVWXYz"
"""What a closing path tries inside a value that may not end yet, separators early so that formats end soon."""


class GrammarCompiler:
    """Grammars for one tokenizer. Takes 60 ms at 8k tokens and 0.5 s at 50k; `compile` may run in any thread."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        vocab_size: int | None = None,
        eos_ids: Sequence[int] | None = None,
    ) -> None:
        """`vocab_size` is the width of the model's logits, when it is padded beyond the tokenizer's."""
        self.vocab_size = vocab_size or len(tokenizer)
        self.eos_ids = list(eos_ids or [tokenizer.eos_token_id])
        self.tokens: LLTokenizer = from_tokenizer(tokenizer, n_vocab=self.vocab_size, eos_token=self.eos_ids)
        self.byte_ids = _byte_ids(self.tokens, self.vocab_size)
        self._cache: OrderedDict[str, Grammar] = OrderedDict()
        self._lock = threading.Lock()

    def compile(self, response_format: dict[str, Any]) -> "Grammar":
        """The grammar of OpenAI's `response_format` json_schema or json_object.

        Raises InvalidRequest (param `response_format`), naming the keyword, when it cannot be enforced.
        """
        schema = _schema(response_format)
        key = json.dumps(schema)
        if len(key) > MAX_SCHEMA_CHARS:
            raise _refused(f"the schema has {len(key)} characters, {MAX_SCHEMA_CHARS} at most")
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        grammar = Grammar(self, key)
        with self._lock:
            self._cache[key] = grammar
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return grammar


class Grammar:
    """A compiled schema: `start` gives each request its own state."""

    def __init__(self, compiler: GrammarCompiler, schema: str) -> None:
        self.compiler = compiler
        source = LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
        self._matcher = LLMatcher(compiler.tokens, source, log_level=0, limits=LIMITS)
        if self._matcher.is_error():
            raise _refused(_reason(self._matcher.get_error()))
        self._path = closing_path(compiler, self._matcher, MAX_CLOSING)

    @property
    def min_tokens(self) -> int | None:
        """Tokens of the shortest document known; None when this tokenizer cannot spell one."""
        return None if self._path is None else len(self._path)

    def start(self, max_tokens: int) -> "Guard":
        """The state for one answer of at most `max_tokens`; InvalidRequest (param `max_tokens`) if none fits."""
        if self._path is None:
            raise _refused(f"no document of this schema can be spelled in {MAX_CLOSING} tokens by this model")
        if len(self._path) > max_tokens:
            raise InvalidRequest(
                f"max_tokens is {max_tokens}, and a document of this schema needs at least {len(self._path)} tokens",
                param="max_tokens",
            )
        return Guard(self.compiler, self._matcher.deep_copy(), list(self._path), max_tokens)


class Guard:
    """One answer in the making. Per step: `mask`, sample, `admit`; until `done`. The end token counts in the budget
    only when the model chooses it: a document that cannot go on is done without one."""

    def __init__(self, compiler: GrammarCompiler, matcher: LLMatcher, path: list[int], max_tokens: int) -> None:
        self.left = max_tokens
        self.done = False
        self.forced = 0
        """How many sampled tokens gave way to the closing path."""
        self._compiler = compiler
        self._matcher = matcher
        self._path = path
        self._bits = np.zeros((compiler.vocab_size + 31) // 32, dtype=np.int32)

    def mask(self) -> Tensor:
        """What may come next: (V,) bool, new at every call."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        allowed = np.unpackbits(self._bits.view(np.uint8), count=self._compiler.vocab_size, bitorder="little")
        return torch.from_numpy(allowed.view(np.bool_))

    def admit(self, token: int) -> int:
        """The token to emit: `token`, or the closing path's when the budget would not hold. Sets `done`."""
        if token in self._compiler.eos_ids:
            if not self._matcher.is_accepting():
                raise ServiceError("the end token was sampled against the mask", code="broken_grammar")
            self.done = True
            return token
        if not self._matcher.consume_token(token):
            raise ServiceError(f"the grammar failed: {self._matcher.get_error()}", code="broken_grammar")
        path = self._path_after()
        if path is None:
            self.forced += 1
            self._matcher.rollback(1)
            token, path = self._path[0], self._path[1:]
            self._matcher.consume_token(token)
        self._path = path
        self.left -= 1
        self.done = self._matcher.is_stopped() or (self.left == 0 and self._matcher.is_accepting())
        return token

    def _path_after(self) -> list[int] | None:
        """A path from the state after the sampled token that fits; the old one or its end often does."""
        eos = self._compiler.eos_ids[0]
        for skip in range(min(len(self._path), 8) + 1):
            path = self._path[skip:]
            if len(path) < self.left and self._matcher.validate_tokens([*path, eos]) == len(path) + 1:
                return path
        return closing_path(self._compiler, self._matcher, self.left - 1)


def closing_path(compiler: GrammarCompiler, matcher: LLMatcher, limit: int) -> list[int] | None:
    """Tokens that complete the document from `matcher` (left as it is), or None if more than `limit` are needed."""
    matcher = matcher.deep_copy()
    path: list[int] = []
    used: Counter[int] = Counter()
    while len(path) <= limit:
        if matcher.is_accepting():
            return path
        forced = matcher.compute_ff_tokens()
        if not forced:
            byte = _next_byte(compiler, matcher, used)
            if byte is None:
                return None
            used[byte] += 1
            forced = [compiler.byte_ids[byte]]
        if not matcher.consume_tokens(forced):
            return None
        path += forced
    return None


def _next_byte(compiler: GrammarCompiler, matcher: LLMatcher, used: Counter[int]) -> int | None:
    words = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    legal = {byte for byte, token in compiler.byte_ids.items() if words[token >> 3] >> (token & 7) & 1}
    if not legal:
        return None
    in_text = bool(legal & set(b"Z~"))  # then brackets are only letters, and the quote alone closes
    for byte in CLOSERS[:1] if in_text else b'}],:"':
        if byte in legal and used[byte] < 64:
            return byte
    order = [byte for byte in FILLERS if byte in legal] or sorted(legal - set(b"[{\\")) or sorted(legal)
    return min(order, key=lambda byte: used[byte])


def _byte_ids(tokens: LLTokenizer, vocab_size: int) -> dict[int, int]:
    """byte -> the token that spells it alone."""
    found: dict[int, int] = {}
    for token in range(vocab_size):
        if not tokens.is_special_token(token):
            spelled = tokens.decode_bytes([token])
            if len(spelled) == 1:
                found.setdefault(spelled[0], token)
    return found


def _schema(response_format: dict[str, Any]) -> Any:
    kind = response_format.get("type")
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        raise _refused(f"type {kind!r} is not json_schema or json_object")
    wrapper = response_format.get("json_schema")
    if not isinstance(wrapper, dict) or not isinstance(wrapper.get("schema"), dict):
        raise _refused("json_schema.schema must be an object")
    return wrapper["schema"]


def _reason(error: str) -> str:
    first = re.sub(r"\s+", " ", error).strip()[:300]
    return f"the schema cannot be enforced: {first}"


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"response_format: {why}", param="response_format")
