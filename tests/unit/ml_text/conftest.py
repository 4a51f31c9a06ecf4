"""Tiny random models, made in the test: nothing is downloaded."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ml_text import catalog
from ml_text.engine import Engine
from ml_text.serve import create_service
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from tests.unit.services import clients_of, engines_of, settings_of

VOCABULARY = 384
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@functools.cache
def _tokenizer() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(["the quick brown fox jumps over the lazy dog", Path(__file__).read_text()], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=SPECIAL[0], eos_token=SPECIAL[1])
    tokenizer.chat_template = TEMPLATE
    return tokenizer


@functools.cache
def _words() -> PreTrainedTokenizerFast:
    """One word per token: from the text one can tell the tokens."""
    level = models.WordLevel(
        {name: i for i, name in enumerate([*SPECIAL, *(f"w{i}" for i in range(5, VOCABULARY))])}, "w5"
    )
    words = Tokenizer(level)
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=SPECIAL[0])


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return _tokenizer()


def build_model(family: str = "llama", seed: int = 0, **config: Any) -> Any:
    """A random model whose greedy answers vary: weights larger than usual, no tied embeddings, no end token."""
    torch.manual_seed(seed)
    fields = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    model = catalog.build(family, **{**fields, "tie_word_embeddings": False, **config}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    model.generation_config.eos_token_id = None
    return model


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """save_model(name, family, seed, **config) -> the folder, under tmp_path."""

    def save(
        name: str = "tiny", family: str = "llama", seed: int = 0, dtype: Any = None, words: bool = False, **config: Any
    ) -> Path:
        folder = tmp_path / name
        model = build_model(family, seed, **config)
        (model if dtype is None else model.to(dtype)).save_pretrained(folder)
        (_words() if words else _tokenizer()).save_pretrained(folder)
        return folder

    return save


settings = settings_of(TextSettings)
start = engines_of(Engine, Sources)
serve = clients_of(create_service, Sources)
