"""A text encoder in memory: texts in, one vector each out.

Encoders (BERT and its kin) serve with the pooling that their folder names, or the mean. A causal language model's
states were made to foretell the next token, not to compare texts: it serves only where a contrastive pass gave it a
pooling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ml_text import catalog, loading
from ml_text.loading import Facts
from ml_text.pooling import Pooling, has_pooling, read_pooling
from ml_text.settings import TextSettings
from ml_text.sources import Source
from shared.errors import InvalidRequest
from shared.training import memory

BATCH_TOKENS = 4096
"""Of padded tokens in one forward pass: more is no faster on a processor."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    source: Source
    facts: Facts
    model: Any
    tokenizer: Any
    pooling: Pooling

    @property
    def max_tokens(self) -> int:
        return min(self.facts.context_length, self.pooling.max_tokens or self.facts.context_length)

    def tokenize(self, inputs: Sequence[str] | Sequence[list[int]]) -> list[list[int]]:
        """Token ids of each input. InvalidRequest naming `input` for what is too long, or ids of another vocabulary."""
        return [self._ids(given, f"input[{place}]") for place, given in enumerate(inputs)]

    def batches(self, rows: Sequence[list[int]]) -> list[list[int]]:
        """Places in `rows`, the longest first, so that a batch has little padding."""
        batches: list[list[int]] = []
        for place in sorted(range(len(rows)), key=lambda place: -len(rows[place])):
            if not batches or (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) > BATCH_TOKENS:
                batches.append([])
            batches[-1].append(place)
        return batches

    @torch.inference_mode()
    def encode(self, rows: Sequence[list[int]]) -> Vectors:
        """(N, C) of length 1 each, in one forward pass."""
        longest = max(map(len, rows))
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for row, given in enumerate(rows):
            ids[row, : len(given)] = torch.tensor(given)
            mask[row, : len(given)] = 1
        device = self.model.device
        states = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
        return self.pooling(states, mask.to(device)).cpu().numpy()

    def _ids(self, given: str | list[int], param: str) -> list[int]:
        if isinstance(given, str):
            longest = max(map(len, self.tokenizer.get_vocab()))
            if len(given) > longest * self.max_tokens:  # before it is tokenised
                raise self._too_long(f"{len(given)} characters", param)
            try:
                given.encode()
            except UnicodeEncodeError as error:
                raise InvalidRequest(f"{param} has lone surrogates, which are no characters", param=param) from error
            ids = self.tokenizer(self.pooling.prefix + given)["input_ids"]
        else:
            ids = given
            if any(not 0 <= id < self.facts.vocab_size for id in ids):
                raise InvalidRequest(
                    f"{param} has token ids of another vocabulary; this one has {self.facts.vocab_size}."
                    " Send text (in LangChain: check_embedding_ctx_length=False)",
                    param=param,
                )
        if not ids:
            raise InvalidRequest(f"{param} is empty", param=param)
        if len(ids) > self.max_tokens:
            raise self._too_long(f"{len(ids)} tokens", param)
        return ids

    def _too_long(self, size: str, param: str) -> InvalidRequest:
        return InvalidRequest(
            f"this model reads {self.max_tokens} tokens, and {param} has {size}",
            code="context_length_exceeded",
            param=param,
        )


def shorten(vectors: Vectors, dimensions: int | None) -> Vectors:
    """The first `dimensions` of (N, C), at length 1 again. InvalidRequest when there are not as many."""
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    if dimensions > vectors.shape[1]:
        raise InvalidRequest(f"this model's vectors have {vectors.shape[1]} dimensions", param="dimensions")
    cut = vectors[:, :dimensions]
    return cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def load_encoder(source: Source, settings: TextSettings) -> Encoder:
    """Raises InvalidRequest for a model that makes no vectors, OutOfMemory when it does not fit."""
    if source.base is not None or not (catalog.is_encoder(source.folder) or has_pooling(source.folder)):
        raise InvalidRequest(
            f"{source.name} is a language model that was never taught to compare texts; teach it with"
            f" `python -m ml_text.train contrastive --model {source.base or source.name}`, or name an embedding model",
            param="model",
            code="unsupported_model",
        )
    facts = loading.look(source, settings)
    device = loading.choose_device(settings)
    memory.require(facts.size_bytes, device, source.name)
    model = catalog.load_encoder(source.folder, facts.dtype, str(device))
    return Encoder(source, facts, model, catalog.load_tokenizer(source.folder), read_pooling(source.folder))
