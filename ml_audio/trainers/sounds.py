"""What makes sound from spectrograms learns from crops of recordings, whichever network it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml_audio.data.preparing import Dataset, prepare, sounding
from ml_audio.data.speaking import SoundRows
from ml_audio.models.spectrogram import Scale
from ml_audio.settings import AudioSettings
from ml_audio.trainers.starting import by_rows, card_of, name_of
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run

Begun = tuple[Any, nn.Module, Scale]
"""The network, its loss, and how its spectrograms are scaled."""


def learn(args: Any, settings: AudioSettings, trainer: str, begin: Callable[[Dataset], Begun]) -> str:
    """The name under which the network that `begin` makes for the recordings is published."""
    name = name_of(args)
    folder = prepare_folder(args, settings.data_dir, name)
    dataset = prepare(args, folder, sounding, "sounding")
    torch.manual_seed(args.seed)
    network, loss, scale = begin(dataset)
    train, validation = (
        SoundRows(dataset.shards, places, scale, args.crop, args.batch_size)
        for places in (dataset.train, dataset.validation)
    )
    state = Run(by_rows(args), loss.train(), train, validation, folder).start()

    def save(target: Path) -> None:
        network.half().save_pretrained(target)

    return finish(args, settings.data_dir, name, folder, state, save, card_of(trainer, dataset))
