"""A recogniser goes on learning from clips of the people, words and rooms that it is to hear.

All weights, or with `--rank` a LoRA adapter (https://arxiv.org/abs/2106.09685).
"""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from transformers import Wav2Vec2BertConfig, Wav2Vec2BertForCTC

from ml_audio.data.hearing import HeardRows, letters
from ml_audio.data.preparing import Dataset, heard, prepare
from ml_audio.models.recogniser import Recogniser
from ml_audio.parity import same_hearing
from ml_audio.settings import AudioSettings
from ml_audio.trainers.losses import CTCLoss
from ml_audio.trainers.starting import QUICK, ClipArgs, by_rows, card_of, find_base, indexed, name_of, quantisation
from shared.errors import InvalidRequest
from shared.training import lora
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    model: str = Field("starter-recogniser", description="the base: a published or short name, a hub repo, a folder")
    rank: int = Field(0, ge=0, description="of a LoRA adapter; 0: all weights are trained")
    alpha: int = Field(32, gt=0, description="the adapter's output is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    quantize: Literal["nf4", "int8"] | None = Field(None, description="hold the base in 4 or 8 bits; needs a rank")
    augment: float = Field(0.7, ge=0, le=1, description="how often a clip is heard with noise, echo or another throat")
    epochs: float = Field(10, gt=0, description="passes over the data")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(20, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on norms and biases")


def rows_of(recogniser: Recogniser, dataset: Dataset, args: Any) -> tuple[HeardRows, HeardRows]:
    """Training rows, which are heard differently each time, and validation rows, which are not."""
    alphabet = indexed(recogniser.alphabet)
    shards = dataset.shards
    labels = [letters(shards.row(place)["text"], alphabet) for place in range(len(shards))]
    kept = [place for place in dataset.train if len(labels[place])]
    if not kept:
        raise InvalidRequest("no text has a letter that the model knows", param="dataset")
    made = partial(HeardRows, shards, labels=labels, stride=recogniser.stride, clips_per_row=args.batch_size)
    return made(np.array(kept), augmented=args.augment), made(dataset.validation, augmented=0.0)


def _open(folder: Path, quantize: str | None) -> Recogniser:
    model: Any = Wav2Vec2BertForCTC.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, **quantisation(quantize)
    )
    return Recogniser.from_pretrained(folder, model)


def main(args: Args, settings: AudioSettings) -> str:
    base = find_base(args.model, settings, Wav2Vec2BertConfig.model_type)
    if args.quantize and not args.rank:
        raise InvalidRequest("weights in 4 or 8 bits are not trained themselves: give a rank", param="quantize")
    name = name_of(args, base.name)
    folder = prepare_folder(args, settings.data_dir, name)
    dataset = prepare(args, folder, heard, "heard")
    recogniser = _open(base.folder, args.quantize)
    model = recogniser.model
    train, validation = rows_of(recogniser, dataset, args)
    if args.rank:
        model = lora.attach(model, base.name, args.rank, args.alpha, args.dropout, task=None)
        recogniser.model = model
    state = Run(by_rows(args), CTCLoss(model).train(), train, validation, folder).start()
    adapts = {"base": base.version or base.name} if args.rank else {}
    card = card_of("recogniser", dataset, skipped=dataset.skipped, **adapts)
    save = partial(lora.save, model) if args.rank else recogniser.save_pretrained
    check = same_hearing(recogniser, dataset, card, partial(_open, base.folder, args.quantize) if args.rank else None)
    return finish(args, settings.data_dir, name, folder, state, save, card, check)
