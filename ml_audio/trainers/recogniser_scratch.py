"""A recogniser from random weights: the classes of transformers' Wav2Vec2-BERT, the alphabet of English.

Where the data tells when each phoneme is said (`ml_audio.corpus` does), the lower half learns them frame by frame.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ml_audio.data.hearing import HeardRows, letters, phoneme_numbers
from ml_audio.data.preparing import Dataset, heard, prepare
from ml_audio.models.ctc import list_words
from ml_audio.models.recogniser import ALPHABET, PRESETS, Recogniser, build
from ml_audio.parity import same_hearing
from ml_audio.settings import AudioSettings
from ml_audio.spoken import words
from ml_audio.trainers.losses import CTCLoss, HeardLoss
from ml_audio.trainers.starting import QUICK, ClipArgs, by_rows, card_of, indexed, name_of
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    preset: Literal["tiny", "starter", "small", "medium", "large"] = Field("small", description="sizes of the network")
    init: Path | None = Field(None, description="begin with this recogniser folder's weights, not at random")
    words: Path | None = Field(None, description="JSON of words and pairs and how often they are said, for the beam")
    augment: float = Field(0.7, ge=0, le=1, description="how often a clip is heard with noise, echo or another throat")
    learning_rate: float = Field(2e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(150, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on norms and biases")
    save_dtype: Literal["float16", "float32"] = Field("float16", description="of the published weights")


def main(args: Args, settings: AudioSettings) -> str:
    name = name_of(args)
    folder = prepare_folder(args, settings.data_dir, name)
    dataset = prepare(args, folder, heard, "heard")
    torch.manual_seed(args.seed)
    if args.init:
        recogniser = Recogniser.from_pretrained(args.init)
    else:
        recogniser = Recogniser(build(args.preset, len(ALPHABET)), ALPHABET, PRESETS[args.preset]["stride"])
    if args.words:
        recogniser.words = list_words(json.loads(args.words.read_text()))
    loss, train, validation = _learn(recogniser, dataset, args)
    state = Run(by_rows(args), loss.train(), train, validation, folder).start()
    card = card_of("recogniser-scratch", dataset, parameters=recogniser.model.num_parameters())
    recogniser.model.to(getattr(torch, args.save_dtype)).float()  # compared as it is saved
    recogniser.model.eval()

    def save(target: Path) -> None:
        recogniser.model.to(getattr(torch, args.save_dtype))
        recogniser.save_pretrained(target)
        recogniser.model.float()

    return finish(args, settings.data_dir, name, folder, state, save, card, same_hearing(recogniser, dataset, card))


def _learn(recogniser: Recogniser, dataset: Dataset, args: Args) -> tuple[torch.nn.Module, HeardRows, HeardRows]:
    shards, alphabet = dataset.shards, indexed(recogniser.alphabet)
    labels = [letters(" ".join(words(shards.row(place)["text"])), alphabet) for place in range(len(shards))]
    timed = all("sounds" in shards.row(place) for place in range(0, len(shards), 50))
    phonemes = phoneme_numbers(shards) if timed else None
    made = partial(HeardRows, shards, labels=labels, stride=recogniser.stride, clips_per_row=args.batch_size)
    train = made(np.array(dataset.train), augmented=args.augment, phonemes=phonemes)
    validation = made(np.array(dataset.validation), augmented=0.0)
    if phonemes is None:
        return CTCLoss(recogniser.model), train, validation
    middle = recogniser.model.config.num_hidden_layers // 2
    return HeardLoss(recogniser.model, middle, len(phonemes) + 1), train, validation
