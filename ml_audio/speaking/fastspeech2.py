"""FastSpeech 2 (https://arxiv.org/abs/2006.04558) on Conformer blocks: all frames of a sentence at once.

A folder with `voice.json` is one of this project's, with a pronouncer and a vocoder of its own; others come with
HiFi-GAN and need g2p_en, which reads English out of the CMU dictionary.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ml_audio.models.voice import Voice
from ml_audio.sound.reading import Samples
from ml_audio.speaking.speaker import Utterance, numbers, refuse_clip
from ml_audio.spoken import spoken
from ml_audio.weights import Loading, load_model, load_tokenizer
from shared.errors import InvalidRequest

TINY: dict[str, Any] = {
    "hidden_size": 16, "vocab_size": 40, "num_mel_bins": 8, "encoder_layers": 1, "decoder_layers": 1,
    "encoder_linear_units": 32, "decoder_linear_units": 32, "encoder_num_attention_heads": 2,
    "decoder_num_attention_heads": 2, "duration_predictor_channels": 16, "energy_predictor_channels": 16,
    "pitch_predictor_channels": 16, "pitch_predictor_layers": 2, "speech_decoder_postnet_layers": 2,
    "speech_decoder_postnet_units": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Mood:
    """What is done to the predicted curves, which have mean 0 and deviation 1, and to the speed."""

    pitch: float = 0.0
    range: float = 1.0
    energy: float = 0.0
    speed: float = 1.0


MOODS: Mapping[str, tuple[str, Mood]] = {
    "cheerful": ("cheerful happy joyful upbeat friendly bright smiling", Mood(0.4, 1.3, 0.2, 1.05)),
    "excited": ("excited enthusiastic energetic thrilled lively", Mood(0.6, 1.5, 0.5, 1.12)),
    "calm": ("calm gentle soft relaxed soothing quiet peaceful warm", Mood(-0.2, 0.8, -0.4, 0.9)),
    "sad": ("sad melancholic sorrowful mournful tired", Mood(-0.5, 0.6, -0.5, 0.85)),
    "serious": ("serious formal professional neutral news authoritative", Mood(-0.2, 0.85, 0.1, 0.97)),
    "angry": ("angry furious harsh stern", Mood(0.1, 1.4, 0.8, 1.08)),
    "slow": ("slow slowly", Mood(speed=0.8)),
    "fast": ("fast quick quickly", Mood(speed=1.25)),
}


def find_mood(instructions: str) -> Mood:
    """The first that the words name. InvalidRequest when they name none."""
    words = re.findall(r"[a-z]+", instructions.lower())
    for word in words:
        for names, mood in MOODS.values():
            if word in names.split():
                return mood
    if words:
        raise InvalidRequest(f"the instructions name no mood that there is: {', '.join(MOODS)}", param="instructions")
    return Mood()


def bend(acoustic: Any) -> dict[str, Mood]:
    """From now on the predicted pitch and energy of `acoustic` follow the mood that is put into what is returned."""
    now = {"mood": Mood()}
    acoustic.pitch_predictor.register_forward_hook(lambda _, __, out: out * now["mood"].range + now["mood"].pitch)
    acoustic.energy_predictor.register_forward_hook(lambda _, __, out: out + now["mood"].energy)
    return now


class FastSpeech2:
    """A voice that this project trained."""

    limit = 300

    def __init__(self, voice: Voice) -> None:
        self.voice, self.model = voice, voice.acoustic
        self.sample_rate_hz: int = voice.sample_rate_hz
        self.voices = voice.speakers or ["default"]
        self.now = bend(voice.acoustic)

    def check(self, utterance: Utterance) -> None:
        refuse_clip(utterance, "FastSpeech 2")
        find_mood(utterance.mood)

    def say(self, utterance: Utterance) -> Samples:
        mood = self.now["mood"] = find_mood(utterance.mood)
        speaker = utterance.voice if len(self.voices) > 1 else ""
        return numbers(self.voice.say(spoken(utterance.text), speaker, utterance.speed * mood.speed))


class HubVoice:
    """A FastSpeech2Conformer with a HiFi-GAN from elsewhere."""

    limit = 300

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.sample_rate_hz: int = model.config.vocoder_config.sampling_rate
        speakers = model.config.model_config.num_speakers or 1
        self.voices = ["default"] if speakers == 1 else [str(i) for i in range(speakers)]
        self.now = bend(model.model)

    def check(self, utterance: Utterance) -> None:
        refuse_clip(utterance, "FastSpeech 2")
        find_mood(utterance.mood)

    def say(self, utterance: Utterance) -> Samples:
        mood = self.now["mood"] = find_mood(utterance.mood)
        ids = self.tokenizer(spoken(utterance.text), return_tensors="pt")["input_ids"].to(self.model.device)
        if ids.shape[1] < 2:  # the end alone
            return numbers(torch.zeros(0))
        self.model.model.config.speaking_speed = 1 / (utterance.speed * mood.speed)
        who = {}
        if len(self.voices) > 1:
            who["speaker_ids"] = torch.tensor([self.voices.index(utterance.voice or self.voices[0])])
        return numbers(self.model(input_ids=ids, **who, return_dict=True).waveform)


def load(how: Loading) -> FastSpeech2 | HubVoice:
    from transformers import FastSpeech2ConformerModel, FastSpeech2ConformerWithHifiGan

    if not (how.folder / "voice.json").is_file():
        return HubVoice(how.adapt(load_model(FastSpeech2ConformerWithHifiGan, how)), load_tokenizer(how.folder))
    try:
        acoustic = how.adapt(load_model(FastSpeech2ConformerModel, how))
        return FastSpeech2(Voice.from_pretrained(how.folder, acoustic))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InvalidRequest(f"the voice in {how.folder.name} cannot be read: {error}", param="model") from error
