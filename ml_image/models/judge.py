"""A small network that looks at pictures: what it sees of each attribute, and how near a picture is to a text.

It has never seen a generated picture. Shapes: N pictures (N, 3, 128, 128) in [0, 1]; texts are (N, T) word numbers, 0
where there is none; F features, E dimensions in which pictures and texts are compared.
"""

import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128
WIDTHS = (16, 32, 64, 96, 128)
FEATURES, EMBEDDING = 256, 64
WORDS, LONGEST = 1024, 32


def words(texts: Sequence[str]) -> Tensor:
    """(N, LONGEST) numbers of words, by a hash: the same everywhere, and no vocabulary to carry."""
    found = torch.zeros(len(texts), LONGEST, dtype=torch.long)
    for row, text in enumerate(texts):
        for place, word in enumerate(re.findall(r"[a-z0-9]+", text.lower())[:LONGEST]):
            found[row, place] = 1 + zlib.crc32(word.encode()) % (WORDS - 1)
    return found


class Judge(nn.Module):
    def __init__(self, answers: int) -> None:
        """`answers`: how many values all attributes have together."""
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.eye = nn.Sequential(*layers)
        self.features = nn.Linear(WIDTHS[-1] * (SIDE >> len(WIDTHS)) ** 2, FEATURES)
        self.answer = nn.Linear(FEATURES, answers)
        self.look = nn.Linear(FEATURES, EMBEDDING)
        self.word = nn.Embedding(WORDS, EMBEDDING, padding_idx=0)
        self.place = nn.Parameter(torch.randn(LONGEST, EMBEDDING) * 0.1)
        self.read = nn.TransformerEncoderLayer(EMBEDDING, 4, 2 * EMBEDDING, dropout=0.0, batch_first=True)
        self.say = nn.Linear(EMBEDDING, EMBEDDING)
        self.warmth = nn.Parameter(torch.tensor(2.0))

    def see(self, pictures: Tensor) -> Tensor:
        """(N, F)"""
        if pictures.shape[-1] != SIDE or pictures.shape[-2] != SIDE:
            pictures = F.interpolate(pictures, (SIDE, SIDE), mode="area")
        return F.relu(self.features(self.eye(pictures * 2 - 1).flatten(1)))

    def answers(self, features: Tensor) -> Tensor:
        return self.answer(features)

    def embed_pictures(self, features: Tensor) -> Tensor:
        """(N, E), of length 1."""
        return F.normalize(self.look(features), dim=-1)

    def embed_texts(self, numbers: Tensor) -> Tensor:
        """(N, E), of length 1."""
        there = (numbers != 0).float().unsqueeze(-1)
        read = self.read(self.word(numbers) + self.place, src_key_padding_mask=numbers == 0)
        return F.normalize(self.say((read * there).sum(1) / there.sum(1).clamp(min=1)), dim=-1)
