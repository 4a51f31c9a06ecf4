"""FastSpeech 2 (https://arxiv.org/abs/2006.04558) as trained here: text, phonemes, spectrogram, sound."""

from typing import Any

from ml_audio.models.voice import Voice
from ml_audio.sound.reading import Samples
from ml_audio.speaking.speaker import Utterance, numbers, refuse_clip, refuse_mood
from ml_audio.spoken import spoken
from ml_audio.weights import Loading, load_model
from shared.errors import InvalidRequest

TINY: dict[str, Any] = {}


class FastSpeech2:
    limit = 200

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.model = voice.acoustic
        self.sample_rate_hz = voice.sample_rate_hz
        self.voices = voice.speakers

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "FastSpeech 2")
        refuse_clip(utterance, "FastSpeech 2")

    def say(self, utterance: Utterance) -> Samples:
        return numbers(self.voice.say(spoken(utterance.text), utterance.voice, utterance.speed))


def load(how: Loading) -> FastSpeech2:
    from transformers import FastSpeech2ConformerModel

    acoustic = how.adapt(load_model(FastSpeech2ConformerModel, how))
    try:
        return FastSpeech2(Voice.from_pretrained(how.folder, acoustic))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidRequest(
            f"{how.folder.name} lacks what a voice needs beside its weights, or it cannot be read: {error}",
            param="model",
        ) from error
