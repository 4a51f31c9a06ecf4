"""Which models there are: FAMILIES (architectures of transformers), SHORT_NAMES (hub repos).

A row in FAMILIES is the capability: serving, LoRA and the tests over all families follow from it.
"""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shared.errors import InvalidRequest

if TYPE_CHECKING:
    from ml_audio.weights import Loading

Kind = Literal["speech", "recogniser", "music"]

SHORT_NAMES = {
    "mms-tts-eng": "facebook/mms-tts-eng",
    "speecht5": "microsoft/speecht5_tts",
    "csm-1b": "sesame/csm-1b",
    "dia-1.6b": "nari-labs/Dia-1.6B-0626",
    "fastspeech2": "espnet/fastspeech2_conformer_with_hifigan",
    "whisper-tiny": "openai/whisper-tiny",
    "whisper-base": "openai/whisper-base",
    "whisper-small": "openai/whisper-small",
    "whisper-medium": "openai/whisper-medium",
    "whisper-large-v3": "openai/whisper-large-v3",
    "whisper-turbo": "openai/whisper-large-v3-turbo",
    "wav2vec2-base": "facebook/wav2vec2-base-960h",
    "musicgen-small": "facebook/musicgen-small",
    "musicgen-stereo-small": "facebook/musicgen-stereo-small",
    "musicgen-stereo-medium": "facebook/musicgen-stereo-medium",
    "musicgen-stereo-large": "facebook/musicgen-stereo-large",
}


@dataclass(frozen=True)
class Family:
    """One architecture, by the `model_type` of its config."""

    kind: Kind
    module: str
    """Has `load(Loading)`, which gives a Speaker, a Listener or a Composer, and TINY, a config for tests. Named and not
    imported: it loads torch."""

    def load(self, how: "Loading") -> Any:
        return importlib.import_module(self.module).load(how)


FAMILIES: dict[str, Family] = {
    "fastspeech2_conformer": Family("speech", "ml_audio.speaking.fastspeech2"),
    "fastspeech2_conformer_with_hifigan": Family("speech", "ml_audio.speaking.fastspeech2"),
    "vits": Family("speech", "ml_audio.speaking.vits"),
    "speecht5": Family("speech", "ml_audio.speaking.speecht5"),
    "bark": Family("speech", "ml_audio.speaking.bark"),
    "csm": Family("speech", "ml_audio.speaking.csm"),
    "dia": Family("speech", "ml_audio.speaking.dia"),
    "llama": Family("music", "ml_audio.composing.notes"),  # of notes: text's Llamas lack the vocabulary
    "musicgen": Family("music", "ml_audio.composing.musicgen"),
    "wav2vec2": Family("recogniser", "ml_audio.hearing.ctc"),
    "wav2vec2-bert": Family("recogniser", "ml_audio.hearing.ctc"),
    "whisper": Family("recogniser", "ml_audio.hearing.whisper"),
}


def read_type(folder: Path) -> str:
    """The `model_type` of the model in `folder`. InvalidRequest when the config cannot be read."""
    try:
        return str(json.loads((folder / "config.json").read_text())["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(f"the config in {folder.name} cannot be read: {error}", param="model") from error


def get_family(folder: Path) -> Family:
    """The row for the model in `folder`; InvalidRequest when the architecture is not one that is tested here."""
    kind = read_type(folder)
    if kind not in FAMILIES:
        raise InvalidRequest(
            f"architecture {kind!r} is not supported; there is {', '.join(FAMILIES)}",
            param="model",
            code="unsupported_model",
        )
    return FAMILIES[kind]
