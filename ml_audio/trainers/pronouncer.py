"""A pronouncer from random weights, on words with their phonemes; the words themselves it keeps as its lexicon."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ml_audio.data.speaking import SpellingRows
from ml_audio.models.pronouncer import BEFORE_VOWEL, BLANK, MARKS, Pronouncer, PronouncerConfig
from ml_audio.settings import AudioSettings
from ml_audio.trainers.starting import QUICK, ClipArgs, by_rows, name_of
from shared.errors import InvalidRequest
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.packing import IGNORED


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    init: Path | None = Field(None, description="begin with this pronouncer folder's weights, not at random")
    channels: int = Field(96, gt=0, description="width")
    hidden: int = Field(256, gt=0, description="width of the feed-forward layers")
    layers: int = Field(3, gt=0, description="blocks")
    dataset: list[Path] = Field(min_length=1, description="JSON of words and their phonemes")
    validation_records: int = Field(512, ge=0, description="but never more than these")
    batch_size: int = Field(192, gt=0, description="words per forward pass")
    learning_rate: float = Field(3e-3, gt=0, description="at its highest")
    weight_decay: float = Field(1e-2, ge=0, description="on matrices; never on norms and biases")


class SpellingLoss(nn.Module):
    def __init__(self, pronouncer: Pronouncer) -> None:
        super().__init__()
        self.pronouncer = pronouncer

    def forward(self, letters: Tensor, labels: Tensor) -> Tensor:
        """(B, L), (B, P) IGNORED at the end -> CTC, summed over phonemes"""
        logits = self.pronouncer(letters)  # (B, R, V)
        return F.ctc_loss(
            logits.float().log_softmax(-1).transpose(0, 1),
            labels.clamp(min=0),
            (letters != 0).sum(1) * self.pronouncer.config.upsample,
            (labels != IGNORED).sum(1),
            blank=BLANK,
            reduction="sum",
            zero_infinity=True,
        )


def main(args: Args, settings: AudioSettings) -> str:
    name = name_of(args)
    folder = prepare_folder(args, settings.data_dir, name)
    lexicon = read(args.dataset)
    names = sorted({name for phonemes in lexicon.values() for name in phonemes} | set(MARKS))
    torch.manual_seed(args.seed)
    if args.init:
        pronouncer = Pronouncer.from_pretrained(args.init).train()
        pronouncer.lexicon = lexicon
    else:
        config = PronouncerConfig(names, channels=args.channels, hidden=args.hidden, layers=args.layers)
        pronouncer = Pronouncer(config, lexicon)
    numbers = {name: number for number, name in enumerate(pronouncer.config.phonemes, BLANK + 1)}
    words = [word for word in lexicon if not word.endswith(BEFORE_VOWEL) and set(lexicon[word]) <= set(numbers)]
    order = np.random.default_rng(args.seed).permutation(len(words))
    held = min(round(args.validation_fraction * len(words)), args.validation_records)
    train, validation = (
        SpellingRows([words[i] for i in part], [lexicon[words[i]] for i in part], numbers, args.batch_size)
        for part in (order[held:], order[:held])
    )
    state = Run(by_rows(args), SpellingLoss(pronouncer).train(), train, validation, folder).start()
    card = {"service": "audio", "trainer": "pronouncer-scratch", "words": len(order) - held}

    def save(target: Path) -> None:
        pronouncer.half().save_pretrained(target)

    return finish(args, settings.data_dir, name, folder, state, save, card)


def read(files: list[Path]) -> dict[str, list[str]]:
    """Word -> phonemes, of JSON files that `python -m ml_audio.corpus lexicon` made. InvalidRequest on `dataset`."""
    found: dict[str, list[str]] = {}
    for file in files:
        try:
            found |= {word: spelled.split() for word, spelled in json.loads(file.read_text()).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise InvalidRequest(
                f"{file.name} is no JSON of words and their phonemes: {error}", param="dataset"
            ) from error
    if not found:
        raise InvalidRequest("there is no word in the dataset", param="dataset")
    return found
