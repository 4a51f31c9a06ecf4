"""A voice of one's own, from clips with transcripts: a LoRA adapter (https://arxiv.org/abs/2106.09685) on a base.

With `--quantize nf4` it is QLoRA (https://arxiv.org/abs/2305.14314). The base's pronouncer tells the phonemes, the base
itself says the text, and warping tells when each is said in the clip. `--rank 0` trains all weights.
"""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from transformers import FastSpeech2ConformerConfig, FastSpeech2ConformerModel

from ml_audio.data.preparing import Dataset, prepare, speaking
from ml_audio.data.speaking import VoiceRows
from ml_audio.models.voice import Voice
from ml_audio.parity import same_speaking
from ml_audio.settings import AudioSettings
from ml_audio.trainers.losses import VoiceLoss
from ml_audio.trainers.samples import speech
from ml_audio.trainers.starting import LAYERS, QUICK, ClipArgs, by_rows, card_of, find_base, name_of, quantisation
from shared.errors import InvalidRequest
from shared.training import lora
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    model: str = Field("starter", description="the base: a published or short name, a folder")
    speaker: str = Field("", description="the base's voice to begin with; default its first")
    rank: int = Field(16, ge=0, description="of the adapter's matrices; 0: all weights are trained")
    alpha: int = Field(32, gt=0, description="the adapter's output is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    target_modules: list[str] = Field(LAYERS, description="layers to adapt")
    quantize: Literal["nf4", "int8"] | None = Field(None, description="hold the base in 4 or 8 bits (QLoRA)")
    epochs: float = Field(20, gt=0, description="passes over the data")
    batch_size: int = Field(8, gt=0, description="clips per forward pass, of like length")
    learning_rate: float = Field(2e-3, gt=0, description="at its highest")
    warmup_steps: int = Field(10, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.0, ge=0, description="on matrices")


def main(args: Args, settings: AudioSettings) -> str:
    base = find_base(args.model, settings, FastSpeech2ConformerConfig.model_type)
    if args.quantize and not args.rank:
        raise InvalidRequest("weights in 4 or 8 bits are not trained themselves: give a rank", param="quantize")
    name = name_of(args, base.name)
    folder = prepare_folder(args, settings.data_dir, name)
    guide = Voice.from_pretrained(base.folder)
    if args.speaker and args.speaker not in guide.speakers:
        raise InvalidRequest(f"{base.name} has the voices {', '.join(guide.speakers)}", param="speaker")
    dataset = prepare(
        args, folder, speaking(guide, args.speaker), f"speaking-{args.speaker}-{base.key}".replace("/", "-")
    )
    voice, loss = _adapt(args, base.folder, base.name)
    speakers = _speakers(voice, dataset, args.speaker)
    train, validation = (
        VoiceRows(dataset.shards, places, voice.numbers, speakers, voice.scale, args.batch_size)
        for places in (dataset.train, dataset.validation)
    )
    show = speech(voice, loss, args.speaker)
    state = Run(by_rows(args), loss.train(), train, validation, folder, show=show).start()
    adapts = {"base": base.version or base.name} if args.rank else {}
    card = card_of("voice", dataset, skipped=dataset.skipped, **adapts)
    save = partial(lora.save, voice.acoustic) if args.rank else voice.save_pretrained
    check = same_speaking(voice, dataset, card, partial(_open, base.folder, args.quantize) if args.rank else None)
    return finish(args, settings.data_dir, name, folder, state, save, card, check)


def _adapt(args: Args, folder: Path, name: str) -> tuple[Voice, VoiceLoss]:
    voice = _open(folder, args.quantize)
    torch.manual_seed(args.seed)
    if args.rank:
        voice.acoustic = lora.attach(
            voice.acoustic, name, args.rank, args.alpha, args.dropout, args.target_modules, task=None
        )
    return voice, VoiceLoss(voice.acoustic, frozen_norms=bool(args.rank))


def _open(folder: Path, quantize: str | None) -> Voice:
    acoustic: Any = FastSpeech2ConformerModel.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, **quantisation(quantize)
    )
    return Voice.from_pretrained(folder, acoustic)


def _speakers(voice: Voice, dataset: Dataset, speaker: str) -> dict[str, int]:
    """Every clip's speaker is the one that the adapter begins with."""
    number = voice.speakers.index(speaker) if speaker else 0
    places = range(len(dataset.shards))
    said = {dataset.shards.row(place)["voice"]: number for place in places}
    return said if len(voice.speakers) > 1 else {}
