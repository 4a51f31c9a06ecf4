"""VITS (https://arxiv.org/abs/2106.06103): letters or phonemes to a waveform in one pass. MMS-TTS is of this family."""

from typing import Any

import torch

from ml_audio.sound.reading import Samples
from ml_audio.speaking.speaker import Utterance, dice, numbers, refuse_clip, refuse_mood
from ml_audio.weights import Loading, load_model, load_tokenizer

TINY: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32,
    "flow_size": 16, "spectrogram_bins": 33, "upsample_initial_channel": 16, "upsample_rates": [8, 8],
    "upsample_kernel_sizes": [16, 16], "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]],
    "wavenet_dilation_rate": 1, "prior_encoder_num_flows": 1, "prior_encoder_num_wavenet_layers": 1,
    "posterior_encoder_num_wavenet_layers": 1, "duration_predictor_num_flows": 2,
    "duration_predictor_filter_channels": 16, "depth_separable_channels": 2, "depth_separable_num_layers": 1,
}  # fmt: skip


class Vits:
    limit = 300

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.sample_rate_hz: int = model.config.sampling_rate
        speakers = model.config.num_speakers
        self.voices = ["default"] if speakers <= 1 else [str(i) for i in range(speakers)]

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "VITS")
        refuse_clip(utterance, "VITS")

    def say(self, utterance: Utterance) -> Samples:
        ids = self.tokenizer(utterance.text, return_tensors="pt")["input_ids"].to(self.model.device)
        blank = self.tokenizer.pad_token_id
        if not ((ids != blank) & (ids != self.tokenizer.unk_token_id)).any():
            return numbers(torch.zeros(0))
        self.model.speaking_rate = utterance.speed
        speaker = None if len(self.voices) == 1 else self.voices.index(utterance.voice or self.voices[0])
        with dice(utterance.seed):
            return numbers(self.model(input_ids=ids, speaker_id=speaker).waveform)


def load(how: Loading) -> Vits:
    from transformers import VitsModel

    return Vits(how.adapt(load_model(VitsModel, how)), load_tokenizer(how.folder))
