"""A voice from random weights: transformers' FastSpeech2Conformer, with pronouncer and vocoder of another voice.

From clips alone, that voice also tells when each phoneme is said.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from transformers import FastSpeech2ConformerModel

from ml_audio.data.clips import Clip
from ml_audio.data.preparing import Dataset, Made, is_prepared, prepare, speaking
from ml_audio.data.speaking import VoiceRows, scale_of
from ml_audio.models.pronouncer import Pronouncer
from ml_audio.models.spectrogram import BINS
from ml_audio.models.vocoder import GriffinLim, GriffinLimConfig, Vocoder, load_vocoder
from ml_audio.models.voice import PAD, UNKNOWN, Voice, acoustic_config
from ml_audio.parity import same_speaking
from ml_audio.settings import AudioSettings
from ml_audio.sources import Sources
from ml_audio.trainers.losses import VoiceLoss
from ml_audio.trainers.samples import speech
from ml_audio.trainers.starting import QUICK, ClipArgs, by_rows, card_of, indexed, name_of
from shared.errors import InvalidRequest
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run


class Args(ClipArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    preset: Literal["tiny", "starter", "small", "medium", "large"] = Field("small", description="sizes of the network")
    guide: str = Field(
        "starter", description="the voice whose pronouncer and vocoder are used, and who times the clips"
    )
    vocoder: Literal["griffin-lim"] | Path | None = Field(
        None, description="a vocoder's folder, or griffin-lim, which needs no weights; not the guide's"
    )
    pronouncer: Path | None = Field(None, description="a pronouncer's folder, not the guide's")
    init: Path | None = Field(None, description="begin with this voice folder's weights, not at random")
    learning_rate: float = Field(1.5e-3, gt=0, description="at its highest")
    weight_decay: float = Field(1e-3, ge=0, description="on matrices; never on norms and biases")
    save_dtype: Literal["float16", "float32"] = Field("float16", description="of the published weights")


def main(args: Args, settings: AudioSettings) -> str:
    name = name_of(args)
    folder = prepare_folder(args, settings.data_dir, name)
    guide = None
    if not (args.vocoder and args.pronouncer and all(is_prepared(path) for path in args.dataset)):
        guide = Voice.from_pretrained(Sources(settings).fetch(args.guide).folder)
    dataset = prepare(args, folder, speaking(guide) if guide else _unasked, "speaking")
    voice = build(args, guide, dataset)
    speakers = indexed(voice.speakers) if len(voice.speakers) > 1 else {}
    train, validation = (
        VoiceRows(dataset.shards, places, voice.numbers, speakers, voice.scale, args.batch_size)
        for places in (dataset.train, dataset.validation)
    )
    loss = VoiceLoss(voice.acoustic)
    state = Run(by_rows(args), loss.train(), train, validation, folder, show=speech(voice, loss)).start()
    card = card_of("voice-scratch", dataset, parameters=voice.acoustic.num_parameters())
    voice.acoustic.to(getattr(torch, args.save_dtype)).float().eval()  # compared as it is saved

    def save(target: Path) -> None:
        for part in (voice.acoustic, voice.pronouncer):
            part.to(getattr(torch, args.save_dtype))
        voice.save_pretrained(target)
        for part in (voice.acoustic, voice.pronouncer):
            part.float()

    return finish(args, settings.data_dir, name, folder, state, save, card, same_speaking(voice, dataset, card))


def build(args: Args, guide: Voice | None, dataset: Dataset) -> Voice:
    """In the scale of the vocoder, with all phonemes of the pronouncer."""
    shards = dataset.shards
    speakers = sorted({shards.row(place)["voice"] for place in range(len(shards))})
    if args.init:
        voice = Voice.from_pretrained(args.init)
        if len(voice.speakers) > 1 and (strangers := set(speakers) - set(voice.speakers)):
            named = ", ".join(map(repr, sorted(strangers)))
            raise InvalidRequest(f"it has the voices {', '.join(voice.speakers)}; the clips {named}", param="init")
        return voice
    vocoder = guide.vocoder if args.vocoder is None and guide else _vocoder(args.vocoder, dataset)
    pronouncer = (
        guide.pronouncer if args.pronouncer is None and guide else Pronouncer.from_pretrained(_given(args.pronouncer))
    )
    said = {name for place in range(len(shards)) for name in shards.row(place)["phonemes"]}
    phonemes = [PAD, UNKNOWN, *sorted(said | set(pronouncer.config.phonemes))]
    torch.manual_seed(args.seed)
    acoustic = FastSpeech2ConformerModel(acoustic_config(args.preset, len(phonemes), len(speakers), BINS))
    return Voice(acoustic, vocoder, pronouncer, phonemes, speakers)


def _vocoder(vocoder: Path | str | None, dataset: Dataset) -> Vocoder | GriffinLim:
    if vocoder == "griffin-lim":
        return GriffinLim(GriffinLimConfig(scale_of(dataset.shards, dataset.train))).eval()
    return load_vocoder(_given(vocoder))


def _given(folder: Path | str | None) -> Path:
    assert folder is not None  # else there is a guide
    return Path(folder)


def _unasked(clip: Clip) -> Made:
    raise InvalidRequest("these are no prepared clips", param="dataset")
