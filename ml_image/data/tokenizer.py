"""CLIP's kind of tokenizer, learnt from captions: bytes, merged within words that end with `</w>`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
WORDS = r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train(captions: Iterable[str], vocab_size: int, length: int, folder: Path) -> CLIPTokenizer:
    """`vocab_size` at most, the 512 tokens of single bytes among them; it is saved to `folder`."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=WORD_END, unk_token=END))
    tokenizer.normalizer = normalizers.Lowercase()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [
            pre_tokenizers.Split(Regex(WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = max(0, vocab_size - len(alphabet) - 2)
    tokenizer.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=merged,
            special_tokens=[],
            end_of_word_suffix=WORD_END,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    learnt = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = learnt["vocab"]
    for byte in alphabet:  # so that no word is unknown
        for token in (byte, byte + WORD_END):
            vocabulary.setdefault(token, len(vocabulary))
    for token in (START, END):
        vocabulary[token] = len(vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in learnt["merges"]]
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    made = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=length)
    made.save_pretrained(folder)
    return made


def encode_all(tokenizer: CLIPTokenizer, captions: Sequence[Sequence[str]]) -> np.ndarray:
    """(N, K + 1, T) int32: as many captions for each of N pictures, and an empty one."""
    flat = encode(tokenizer, [caption for each in captions for caption in (*each, "")])
    return np.array(flat, np.int32).reshape(len(captions), len(captions[0]) + 1, -1)


def encode(tokenizer: CLIPTokenizer, captions: list[str]) -> list[list[int]]:
    """Ids of one length, padded and cut."""
    length = tokenizer.model_max_length
    return tokenizer(captions, padding="max_length", max_length=length, truncation=True)["input_ids"]  # pyright: ignore[reportReturnType]
