"""A recogniser as a folder: transformers' Wav2Vec2BertForCTC with its feature extractor and tokenizer.

Wav2Vec2-BERT's Conformer (https://arxiv.org/abs/2312.05187) on Kaldi's log-mel energies, `stride` frames of 10 ms
stacked; CTC over letters. The folder opens with AutoModelForCTC and AutoProcessor; `words.json`, where there is one,
tells how often words are said, for the beam.
Shapes: N samples, T stacked frames, F = stride * 80, V letters with the blank.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForCTC,
    Wav2Vec2BertProcessor,
    Wav2Vec2CTCTokenizer,
)

from ml_audio.models import ctc
from ml_audio.models.spectrogram import BINS, fbank

ALPHABET = ["<pad>", "<unk>", "|", "'", *"abcdefghijklmnopqrstuvwxyz"]
"""`<pad>` is the blank, `|` the space."""
FRAME_S = 0.01
WORDS = "words.json.gz"
PRESETS: dict[str, dict[str, int]] = {
    "tiny": {"width": 16, "layers": 2, "heads": 2, "hidden": 32, "stride": 3},
    "starter": {"width": 144, "layers": 4, "heads": 4, "hidden": 432, "stride": 3},
    "small": {"width": 192, "layers": 6, "heads": 4, "hidden": 768, "stride": 3},
    "medium": {"width": 256, "layers": 12, "heads": 4, "hidden": 1024, "stride": 3},
    "large": {"width": 512, "layers": 16, "heads": 8, "hidden": 2048, "stride": 2},
}
"""starter: 1.6M weights."""


def build(preset: str, letters: int) -> Wav2Vec2BertForCTC:
    size = PRESETS[preset]
    config = Wav2Vec2BertConfig(
        vocab_size=letters,
        hidden_size=size["width"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        intermediate_size=size["hidden"],
        feature_projection_input_dim=size["stride"] * BINS,
        position_embeddings_type="relative_key",
        left_max_position_embeddings=32,
        right_max_position_embeddings=8,
        conv_depthwise_kernel_size=15,
        conformer_conv_dropout=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,  # done to the features, before they are stacked
        add_adapter=False,
        pad_token_id=0,
    )
    return Wav2Vec2BertForCTC(config)


@dataclass(frozen=True)
class Word:
    text: str
    start_s: float
    end_s: float


@dataclass
class Recogniser:
    model: Any
    """A Wav2Vec2BertForCTC in evaluation mode; with an adapter on it, peft's wrapper."""
    alphabet: Sequence[str]
    stride: int
    words: ctc.WordList | None = None

    @property
    def frame_s(self) -> float:
        return self.stride * FRAME_S

    def log_probs(self, samples: Tensor) -> np.ndarray:
        """(N,) at 16 kHz -> (T, V); T is 0 for less than two frames."""
        if len(samples) < 400 + 160 * (2 * self.stride - 1):
            return np.zeros((0, len(self.alphabet)), np.float32)
        return self.read(fbank(samples))

    @torch.no_grad()
    def read(self, energies: Tensor) -> np.ndarray:
        """(10 ms frames, M) of `fbank` -> (T, V)"""
        x = (energies - energies.mean(0)) / torch.sqrt(energies.var(0) + 1e-7)
        frames = len(x) // self.stride
        stacked = x[: frames * self.stride].reshape(1, frames, -1)
        logits = self.model(input_features=stacked, attention_mask=torch.ones(1, frames, dtype=torch.long)).logits
        return logits[0].float().log_softmax(-1).numpy()

    def transcribe(self, samples: Tensor, width: int = 12) -> list[Word]:
        """(N,) -> words with their times in seconds; `width` of the beam, 1: the likeliest letter of each frame."""
        return self.words_in(self.log_probs(samples), width)

    def words_in(self, log_probs: np.ndarray, width: int = 12) -> list[Word]:
        """(T, V) -> words with their times."""
        if width <= 1 or not len(log_probs):
            return self.spell(ctc.collapse(log_probs.argmax(1).tolist()))
        text = ctc.search(log_probs, self.alphabet, width=width, words=self.words)
        placed = ctc.align(log_probs, self.tokens(text)) if text else []
        return self.spell(placed or [])

    def tokens(self, text: str) -> list[int]:
        numbers = {letter: number for number, letter in enumerate(self.alphabet)}
        return [numbers[letter] for letter in text.replace(" ", "|") if letter in numbers]

    def spell(self, placed: Sequence[ctc.Placed]) -> list[Word]:
        words: list[Word] = []
        letters: list[ctc.Placed] = []
        for one in [*placed, ctc.Placed(self.alphabet.index("|"), 0, 0)]:
            if self.alphabet[one.token] != "|":
                letters.append(one)
            elif letters:
                text = "".join(self.alphabet[letter.token] for letter in letters)
                words.append(Word(text, letters[0].first * self.frame_s, (letters[-1].last + 1) * self.frame_s))
                letters = []
        return words

    def save_pretrained(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(self.alphabet)}))
        unused: Any = {"bos_token": None, "eos_token": None}
        tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), word_delimiter_token="|", **unused)
        extractor = SeamlessM4TFeatureExtractor(feature_size=BINS, num_mel_bins=BINS, stride=self.stride)
        Wav2Vec2BertProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
        if self.words:
            write_words(folder, self.words)

    @classmethod
    def from_pretrained(cls, folder: Path, model: Any = None) -> "Recogniser":
        """`model` in place of the folder's own, when it was loaded in another way (4 bits, with an adapter)."""
        vocabulary = json.loads((folder / "vocab.json").read_text())
        if model is None:
            model = Wav2Vec2BertForCTC.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
        stride = model.config.feature_projection_input_dim // BINS
        return cls(model.eval(), sorted(vocabulary, key=vocabulary.__getitem__), stride, read_words(folder))


def write_words(folder: Path, words: ctc.WordList) -> None:
    about = {
        "unknown": words.unknown,
        "bonus": words.bonus,
        "weight": words.weight,
        "unseen": words.unseen,
        "words": {word: round(odds, 2) for word, odds in words.words.items()},
        "pairs": {pair: round(odds, 2) for pair, odds in words.pairs.items()},
    }
    (folder / WORDS).write_bytes(gzip.compress(json.dumps(about).encode(), mtime=0))


def read_words(folder: Path) -> ctc.WordList | None:
    if not (folder / WORDS).is_file():
        return None
    about = json.loads(gzip.decompress((folder / WORDS).read_bytes()))
    return ctc.WordList(**about)
