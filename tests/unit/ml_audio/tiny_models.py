"""Tiny random models of each family, made in the test: nothing is downloaded."""

import json
from pathlib import Path
from typing import Any

import torch

from ml_audio.speaking import vits

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'-"


def save_vits(folder: Path, **config: Any) -> None:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    VitsModel(VitsConfig(**{**vits.TINY, **config})).save_pretrained(folder)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    VitsTokenizer(
        str(vocabulary), pad_token="_", unk_token="_", is_uroman=False, phonemize=False, normalize=True
    ).save_pretrained(folder)


SAVE = {"vits": save_vits}


def save(family: str, folder: Path, seed: int = 0, **config: Any) -> Path:
    """A model of `family` in `folder`, its weights from `seed`."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    SAVE[family](folder, **config)
    return folder
