"""A voice as a folder: text -> phonemes -> spectrogram -> sound, three small networks in a row.

`config.json` and `model.safetensors` are transformers' FastSpeech2ConformerModel (FastSpeech 2,
https://arxiv.org/abs/2006.04558, on Conformer blocks, https://arxiv.org/abs/2010.13956), `vocab.json` its phonemes,
`voice.json` the speakers; `pronouncer/` and `vocoder/` are this package's.
Shapes: P phonemes, T frames, M mel bins, N samples.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import FastSpeech2ConformerConfig, FastSpeech2ConformerModel

from ml_audio.models.pronouncer import Pronouncer
from ml_audio.models.spectrogram import SAMPLE_RATE_HZ, Scale
from ml_audio.models.vocoder import GriffinLim, Vocoder, load_vocoder

PAD, UNKNOWN = "<pad>", "<unk>"
NO_DROPOUT: dict[str, Any] = dict.fromkeys(
    """encoder_dropout_rate encoder_positional_dropout_rate encoder_attention_dropout_rate decoder_dropout_rate
    decoder_positional_dropout_rate decoder_attention_dropout_rate duration_predictor_dropout_rate pitch_embed_dropout
    speech_decoder_postnet_dropout pitch_predictor_dropout energy_predictor_dropout energy_embed_dropout""".split(),
    0.0,
)
"""An eighth of a step's time on a CPU, and small models have nothing to forget."""
SIZES = ("width", "encoder", "decoder", "heads", "encoder_hidden", "decoder_hidden", "predictor")
PRESETS: dict[str, dict[str, int]] = {
    name: dict(zip(SIZES, sizes, strict=True))
    for name, sizes in {
        "tiny": (16, 1, 1, 2, 32, 32, 16),
        "starter": (128, 2, 2, 2, 256, 384, 96),
        "small": (192, 3, 3, 2, 768, 768, 192),
        "medium": (256, 4, 4, 2, 1024, 1024, 256),
        "large": (384, 4, 4, 2, 1536, 1536, 256),
    }.items()
}
"""starter: 1.5M weights; large: about the size of the paper's."""


def acoustic_config(preset: str, phonemes: int, speakers: int, mel_bins: int) -> FastSpeech2ConformerConfig:
    size = PRESETS[preset]
    return FastSpeech2ConformerConfig(
        hidden_size=size["width"],
        vocab_size=phonemes,
        num_mel_bins=mel_bins,
        num_speakers=speakers if speakers > 1 else None,
        encoder_layers=size["encoder"],
        decoder_layers=size["decoder"],
        encoder_linear_units=size["encoder_hidden"],
        decoder_linear_units=size["decoder_hidden"],
        encoder_num_attention_heads=size["heads"],
        decoder_num_attention_heads=size["heads"],
        encoder_kernel_size=7,
        decoder_kernel_size=9,
        positionwise_conv_kernel_size=1,  # the Conformer's own convolution sees the neighbours
        duration_predictor_channels=size["predictor"],
        energy_predictor_channels=size["predictor"],
        pitch_predictor_channels=size["predictor"],
        pitch_predictor_layers=2,
        pitch_predictor_kernel_size=5,
        speech_decoder_postnet_layers=2,
        speech_decoder_postnet_units=size["width"] // 2,
        **NO_DROPOUT,
    )


@dataclass
class Voice:
    acoustic: Any
    """A FastSpeech2ConformerModel in evaluation mode; with an adapter on it, peft's wrapper."""
    vocoder: Vocoder | GriffinLim
    pronouncer: Pronouncer
    phonemes: list[str]
    """Of the acoustic model; number 0 is PAD, 1 UNKNOWN."""
    speakers: list[str]

    sample_rate_hz = SAMPLE_RATE_HZ

    def __post_init__(self) -> None:
        self.numbers = {name: number for number, name in enumerate(self.phonemes)}

    @property
    def scale(self) -> Scale:
        return self.vocoder.config.scale

    @torch.no_grad()
    def spectrogram(self, phonemes: list[str], speaker: str = "", speed: float = 1.0) -> tuple[Tensor, Tensor]:
        """(T, M) normalised, and (P,) frames of each phoneme. `speaker` "": the first; `speed` 2 is twice as fast."""
        ids = torch.tensor([[self.numbers.get(name, 1) for name in phonemes]])
        self.acoustic.config.speaking_speed = 1 / speed
        who = torch.tensor([self.speakers.index(speaker) if speaker else 0])
        given = {"speaker_ids": who} if len(self.speakers) > 1 else {}
        made = self.acoustic(input_ids=ids, **given, return_dict=True)
        frames = made.duration_outputs[0]
        if speed != 1.0:  # as the model's length regulator stretches them
            frames = torch.round(frames.float() / speed).long()
        return made.spectrogram[0], frames

    @torch.no_grad()
    def say(self, text: str, speaker: str = "", speed: float = 1.0) -> Tensor:
        """Spoken text (`ml_audio.spoken`), a sentence or two -> (N,) in [-1, 1]; empty where nothing is said."""
        phonemes = self.pronouncer.pronounce(text)
        if not any(name not in ",.?!" for name in phonemes):
            return torch.zeros(0)
        mel, _ = self.spectrogram(phonemes, speaker, speed)
        if len(mel) < 2:
            return torch.zeros(0)
        return self.vocoder(mel[None])[0].clamp(-1, 1)

    def save_pretrained(self, folder: Path) -> None:
        self.acoustic.save_pretrained(folder)
        vocabulary = {name: number for number, name in enumerate(self.phonemes)}
        (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=1, ensure_ascii=False) + "\n")
        about = {"sample_rate_hz": SAMPLE_RATE_HZ, "speakers": self.speakers}
        (folder / "voice.json").write_text(json.dumps(about, indent=1) + "\n")
        self.vocoder.save_pretrained(folder / "vocoder")
        self.pronouncer.save_pretrained(folder / "pronouncer")

    @classmethod
    def from_pretrained(cls, folder: Path, acoustic: Any = None) -> "Voice":
        """`acoustic` in place of the folder's own, when it was loaded in another way (4 bits, with an adapter)."""
        about = json.loads((folder / "voice.json").read_text())
        vocabulary = json.loads((folder / "vocab.json").read_text())
        if acoustic is None:
            acoustic = FastSpeech2ConformerModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
        return cls(
            acoustic.eval(),
            load_vocoder(folder / "vocoder"),
            Pronouncer.from_pretrained(folder / "pronouncer"),
            sorted(vocabulary, key=vocabulary.__getitem__),
            about["speakers"],
        )
