"""SpeechT5 (https://arxiv.org/abs/2110.07205): letters to a spectrogram frame by frame, a HiFi-GAN behind it.

The speaker is a vector of 512 numbers (an x-vector): `speakers.safetensors` has some by name, `vocoder/` the HiFi-GAN.
"""

from typing import Any

import torch

from ml_audio.sound.reading import Samples
from ml_audio.sound.stretch import stretch
from ml_audio.speaking.speaker import Utterance, dice, numbers, refuse_clip, refuse_mood
from ml_audio.weights import Loading, load_model, load_processor
from shared.errors import InvalidRequest

SPEAKERS = "speakers.safetensors"
FRAMES_PER_LETTER = 20.0
"""Where a voice that does not come to its end is stopped."""
TINY: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": 8,
    "speech_decoder_prenet_units": 16, "speech_decoder_postnet_units": 16, "speech_decoder_postnet_layers": 2,
    "speaker_embedding_dim": 8, "speech_decoder_prenet_layers": 2, "max_text_positions": 120,
    "speech_decoder_prenet_dropout": 0.5,
}  # fmt: skip


class SpeechT5:
    def __init__(self, model: Any, processor: Any, vocoder: Any, speakers: dict[str, torch.Tensor]) -> None:
        self.model, self.processor, self.vocoder, self.speakers = model, processor, vocoder, speakers
        self.sample_rate_hz: int = vocoder.config.sampling_rate
        self.voices = list(speakers)
        self.limit = min(300, model.config.max_text_positions - 10)

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "SpeechT5")
        refuse_clip(utterance, "SpeechT5")

    def say(self, utterance: Utterance) -> Samples:
        ids = self.processor(text=utterance.text, return_tensors="pt")["input_ids"].to(self.model.device)
        if not any(map(str.isalnum, self.processor.tokenizer.decode(ids[0], skip_special_tokens=True))):
            return numbers(torch.zeros(0))
        speaker = self.speakers[utterance.voice or self.voices[0]].to(self.model.device, self.model.dtype)[None]
        with dice(utterance.seed):  # the prenet drops out while it speaks, too
            made = self.model.generate_speech(ids, speaker, vocoder=self.vocoder, maxlenratio=FRAMES_PER_LETTER)
        return stretch(numbers(made), self.sample_rate_hz, utterance.speed)


def load(how: Loading) -> SpeechT5:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan

    model = how.adapt(load_model(SpeechT5ForTextToSpeech, how))
    if not (how.folder / "vocoder" / "config.json").is_file():
        raise InvalidRequest(
            f"{how.folder.name} has no vocoder: put microsoft/speecht5_hifigan into its folder vocoder/", param="model"
        )
    try:
        speakers = load_file(how.folder / SPEAKERS)
    except (OSError, SafetensorError) as error:
        raise InvalidRequest(
            f"{how.folder.name} has no {SPEAKERS}: name -> a vector of {model.config.speaker_embedding_dim} numbers",
            param="model",
        ) from error
    return SpeechT5(model, load_processor(how.folder), load_model(SpeechT5HifiGan, how, "vocoder"), speakers)
