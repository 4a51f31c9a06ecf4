"""Tiny random models of each family, made in the test: nothing is downloaded."""

import json
from pathlib import Path
from typing import Any

import torch

from ml_audio.hearing import ctc
from ml_audio.speaking import vits

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'-"
CTC_LETTERS = "|'ABCDEFGHIJKLMNOPQRSTUVWX"


def save_vits(folder: Path, **config: Any) -> None:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    VitsModel(VitsConfig(**{**vits.TINY, **config})).save_pretrained(folder)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    VitsTokenizer(
        str(vocabulary), pad_token="_", unk_token="_", is_uroman=False, phonemize=False, normalize=True
    ).save_pretrained(folder)


def save_ctc(folder: Path, **config: Any) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2Processor

    Wav2Vec2ForCTC(Wav2Vec2Config(**{**ctc.TINY, "pad_token_id": 0, **config})).save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    Wav2Vec2Processor(extractor, ctc_tokenizer(folder)).save_pretrained(folder)


def ctc_tokenizer(folder: Path) -> Any:
    from transformers import Wav2Vec2CTCTokenizer

    vocabulary = folder / "vocab.json"
    vocabulary.write_text(
        json.dumps({token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", *CTC_LETTERS])})
    )
    return Wav2Vec2CTCTokenizer(str(vocabulary))


SAVE = {"vits": save_vits, "wav2vec2": save_ctc}


def save(family: str, folder: Path, seed: int = 0, **config: Any) -> Path:
    """A model of `family` in `folder`, its weights from `seed`."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    SAVE[family](folder, **config)
    return folder
