"""Schemas to grammars, once per schema: llguidance with limits, so that a hostile one is refused and not suffered."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from tokenizers import decoders
from transformers import PreTrainedTokenizerFast

from ml_text.grammar.guard import Guard, Vocabulary, closing_path
from ml_text.grammar.schema import refused, schema_text
from ml_text.grammar.tools import CallPlan, calls_source
from shared.errors import InvalidRequest

CACHED = 64
MAX_CLOSING = 4096
"""Tokens of the longest shortest document that is accepted."""
CLOSING_DEADLINE_S = 2.0
LIMITS = LLParserLimits(max_lexer_states=50_000, verbose_errors=False)
"""At most 14 ms in one step (200,000 units of lexer fuel) and about 100 MB for one grammar."""
# compact and in the schema's order is the one spelling that models are trained on; overrides, since a schema may
# carry options of its own ("x-guidance") that would switch the refusals off
OPTIONS: Any = {
    "whitespace_flexible": False,
    "item_separator": ",",
    "key_separator": ":",
    "lenient": False,
    "coerce_one_of": False,
}

KEYWORDS = {"format": "format", "oneOf": "oneOf", "$ref": "$ref", "Resource": "$schema", "regex": "pattern"}
"""What llguidance's message mentions -> the keyword it is about, where it leaves that out."""


class GrammarCompiler:
    """Grammars for one tokenizer. Takes 60 ms at 8k tokens and 0.5 s at 50k; `compile` may run in any thread."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        vocab_size: int | None = None,
        eos_ids: Sequence[int] | None = None,
    ) -> None:
        """`vocab_size` is the width of the model's logits, `eos_ids` are all its end tokens."""
        size = vocab_size or len(tokenizer)
        own: Any = [tokenizer.eos_token_id]
        tokens = _open(tokenizer, size, own if eos_ids is None else list(eos_ids))
        self.vocabulary = Vocabulary(tokens, size, tuple(tokens.eos_tokens), _byte_ids(tokens, size))
        self._cache: OrderedDict[str, Grammar] = OrderedDict()
        self._lock = threading.Lock()

    def compile(self, response_format: dict[str, Any]) -> "Grammar":
        """The grammar of OpenAI's `response_format` json_schema or json_object.

        Raises InvalidRequest (param `response_format`), naming the keyword, when it cannot be enforced.
        """
        text = schema_text(response_format)
        return self._once(text, lambda: Grammar(self.vocabulary, _schema_source(text), "response_format"))

    def compile_calls(self, plan: CallPlan) -> "Grammar":
        """The grammar of an answer that may or has to call tools.

        Raises InvalidRequest (param `tools`, or a part of it) when it cannot be enforced.
        """
        text = calls_source(plan)
        return self._once(text, lambda: Grammar(self.vocabulary, text, "tools"))

    def _once(self, key: str, make: "Callable[[], Grammar]") -> "Grammar":
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        grammar = make()
        with self._lock:
            self._cache[key] = grammar
            if len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return grammar


def _schema_source(schema: str) -> str:
    try:
        return LLMatcher.grammar_from_json_schema(schema, overrides=OPTIONS)
    except ValueError as error:
        raise _unenforceable(str(error), "response_format") from error


class Grammar:
    """A compiled grammar; `start` gives each answer its own state."""

    def __init__(self, vocabulary: Vocabulary, source: str, param: str) -> None:
        """`source` is llguidance's, `param` the field that an InvalidRequest names."""
        self._vocabulary = vocabulary
        self._matcher = LLMatcher(vocabulary.tokens, source, log_level=0, limits=LIMITS)
        if self._matcher.is_error():
            raise _unenforceable(self._matcher.get_error(), param)
        path = closing_path(vocabulary, self._matcher, MAX_CLOSING, deadline_s=CLOSING_DEADLINE_S)
        if path is None:
            raise InvalidRequest(
                f"{param}: this model finds no document of the schema within {MAX_CLOSING} tokens", param=param
            )
        self._path = path

    @property
    def min_tokens(self) -> int:
        """Tokens of the shortest document known."""
        return len(self._path) - 1

    def start(self, max_tokens: int) -> Guard:
        """The state for one answer of at most `max_tokens`; InvalidRequest (param `max_tokens`) when none fits."""
        if self.min_tokens > max_tokens:
            raise InvalidRequest(
                f"max_tokens is {max_tokens}, and a document of this schema needs at least {self.min_tokens} tokens",
                param="max_tokens",
            )
        return Guard(self._vocabulary, self._matcher.deep_copy(), list(self._path), max_tokens)


def _open(tokenizer: PreTrainedTokenizerFast, size: int, ends: list[int]) -> LLTokenizer:
    backend = copy(tokenizer.backend_tokenizer)
    backend.no_padding()
    backend.no_truncation()
    if isinstance(backend.decoder, decoders.Metaspace):  # T5's; llguidance reads the same thing spelled out
        backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    try:
        return LLTokenizer(backend.to_str(), n_vocab=size, eos_token=ends, slices=LLTokenizer.json_slices())
    except BaseException as error:
        # a panic in Rust (a piece of more than 255 bytes) is no Exception
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise
        raise refused(f"the tokenizer of this model cannot be constrained: {str(error)[:200]}") from error


def _byte_ids(tokens: LLTokenizer, size: int) -> dict[int, int]:
    """byte -> the token that spells it alone: a plain piece, which comes after its byte fallback."""
    found: dict[int, int] = {}
    for token in range(size):
        if not tokens.is_special_token(token):
            spelled = tokens.decode_bytes([token])
            if len(spelled) == 1:
                found[spelled[0]] = token
    return found


def _unenforceable(error: str, param: str) -> InvalidRequest:
    told = re.sub(r"\s+", " ", error).strip()[:300]
    keyword = next((f'"{name}": ' for sign, name in KEYWORDS.items() if sign in told), "")
    return InvalidRequest(f"{param}: the schema cannot be enforced: {keyword}{told}", param=param)
