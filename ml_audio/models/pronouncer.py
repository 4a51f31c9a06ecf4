"""Text -> phonemes, word by word: a lexicon of what was heard in training, and a small network for all other words.

The network is a Transformer encoder over letters whose outputs CTC collapses (https://arxiv.org/abs/1910.01493 spells
the other way round so); rotary positions: https://arxiv.org/abs/2104.09864.
Shapes: B words, L letters, R = upsample * L places, C channels, P phonemes with the blank.
"""

import gzip
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
MARKS = ",.?!"
"""Each is a pause, and a phoneme of its own: a question does not end as a statement does."""
BLANK = 0
BEFORE_VOWEL = "^"
"""Behind a lexicon's key: how the word sounds there, when it sounds otherwise."""
LEXICON = "lexicon.json.gz"


@dataclass(frozen=True)
class PronouncerConfig:
    phonemes: list[str] = field(default_factory=list[str])
    """Without the blank, which is number 0."""
    channels: int = 96
    heads: int = 4
    hidden: int = 256
    layers: int = 3
    kernel: int = 5
    upsample: int = 2
    """Places per letter: "x" is two sounds, and CTC wants a blank between two of the same."""
    model_type: str = "ctc_pronouncer"


def rotate(x: Tensor) -> Tensor:
    """(B, H, R, D) turned by its place: pairs of channels as points in a plane."""
    half = x.shape[-1] // 2
    rates = 1 / 1000 ** (torch.arange(half, device=x.device) / half)
    angle = torch.arange(x.shape[-2], device=x.device)[:, None] * rates  # (R, D / 2)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


class Layer(nn.Module):
    """Attention over the sentence, a convolution over the neighbours, then each place alone; pre-norm."""

    def __init__(self, config: PronouncerConfig) -> None:
        super().__init__()
        width = config.channels
        self.heads = config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.depthwise = nn.Conv1d(width, width, config.kernel, padding=config.kernel // 2, groups=width)
        self.mix = nn.Linear(width, width)
        self.widen = nn.Linear(width, config.hidden)
        self.narrow = nn.Linear(config.hidden, width)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """(B, R, C), `real` (B, R) bool -> (B, R, C)"""
        attention, convolution, alone = self.norms
        batch, length, width = x.shape
        q, k, v = self.qkv(attention(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(rotate(q), rotate(k), v, attn_mask=real[:, None, None, :])
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
        near = convolution(x) * real[..., None]
        x = x + self.mix(F.gelu(self.depthwise(near.transpose(1, 2)).transpose(1, 2)))
        return x + self.narrow(F.gelu(self.widen(alone(x))))


class Pronouncer(nn.Module):
    def __init__(self, config: PronouncerConfig, lexicon: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        self.config = config
        self.lexicon = lexicon or {}
        """Word -> phonemes."""
        self.letters = nn.Embedding(len(LETTERS) + 1, config.channels, padding_idx=0)
        self.places = nn.Parameter(torch.randn(config.upsample, config.channels) * 0.1)
        """Tells the places of one letter apart."""
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.channels)
        self.head = nn.Linear(config.channels, len(config.phonemes) + 1)

    def forward(self, letters: Tensor) -> Tensor:
        """(B, L) numbers of a word's letters, 0 is padding -> (B, R, P) logits"""
        x = self.letters(letters)[:, :, None] + self.places  # (B, L, upsample, C)
        x = x.flatten(1, 2)  # (B, R, C)
        real = (letters != 0).repeat_interleave(self.config.upsample, 1)
        for layer in self.layers:
            x = layer(x, real)
        return self.head(self.norm(x))

    def pronounce(self, text: str) -> list[str]:
        """Spoken text (`ml_audio.spoken`) -> phonemes, marks among them."""
        said: list[str] = []
        parts = re.findall(r"[a-z']+|[,.?!]", text)
        following = ""
        for part in reversed(parts):
            phonemes = [part] if part in MARKS else self.say(part, is_vowel(following))
            said = phonemes + said
            following = said[0] if said else ""
        return said

    @torch.no_grad()
    def say(self, word: str, before_vowel: bool = False) -> list[str]:
        """One word -> phonemes."""
        linked = self.lexicon.get(word + BEFORE_VOWEL) if before_vowel else None
        known = linked or self.lexicon.get(word)
        if known is not None:
            return known
        numbers = encode(word)
        if not len(numbers):
            return []
        best = self(numbers[None])[0].argmax(-1).tolist()
        kept = [now for now, before in zip(best, [BLANK, *best], strict=False) if now not in (before, BLANK)]
        return [self.config.phonemes[number - 1] for number in kept]

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self.config), indent=1, ensure_ascii=False)
        (folder / "config.json").write_text(text + "\n")
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / "model.safetensors")
        spelled = {word: " ".join(phonemes) for word, phonemes in sorted(self.lexicon.items())}
        lexicon = json.dumps(spelled, ensure_ascii=False, separators=(",", ":")).encode()
        (folder / LEXICON).write_bytes(gzip.compress(lexicon, mtime=0))

    @classmethod
    def from_pretrained(cls, folder: Path) -> "Pronouncer":
        spelled: dict[str, str] = json.loads(gzip.decompress((folder / LEXICON).read_bytes()))
        lexicon = {word: phonemes.split(" ") for word, phonemes in spelled.items()}
        model = cls(PronouncerConfig(**json.loads((folder / "config.json").read_text())), lexicon)
        model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
        return model.eval()


def encode(word: str) -> Tensor:
    """(L,) numbers of the letters, what is unknown left out."""
    return torch.tensor([LETTERS.index(letter) + 1 for letter in word if letter in LETTERS], dtype=torch.long)


def is_vowel(phoneme: str) -> bool:
    """Whether an IPA phoneme begins with a vowel, stressed or not."""
    return phoneme.strip("ˈˌ")[:1] in set("aeiouæɐɑɒɔəɚɛɜɪʊʌᵻ") and bool(phoneme)
