"""Dia (https://github.com/nari-labs/dia): bytes of text to nine codebooks of DAC (https://arxiv.org/abs/2306.06546).

What was said in the clip stands before the text, its codes before what the decoder writes. The codec is no part of
the model's folder on the hub: it is put into `codec/`.
"""

import math
from dataclasses import replace
from typing import Any

import soxr
import torch

from ml_audio.sound.reading import Samples
from ml_audio.sound.stretch import stretch
from ml_audio.speaking import strangers
from ml_audio.speaking.speaker import (
    Clip,
    Utterance,
    dice,
    lasting_s,
    numbers,
    refuse_long_clip,
    refuse_mood,
    require_words,
)
from ml_audio.weights import Loading, load_model, load_tokenizer
from shared.errors import InvalidRequest

SPEAKER = "[S1]"
"""Opens what the first of two people says."""
TINY: dict[str, Any] = {
    "encoder_config": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "initializer_range": 0.5,
    },
    "decoder_config": {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "cross_num_attention_heads": 2, "cross_head_dim": 8,
        "cross_num_key_value_heads": 2, "cross_hidden_size": 16, "max_position_embeddings": 112, "vocab_size": 260,
        "num_channels": 3, "eos_token_id": 256, "pad_token_id": 257, "bos_token_id": 258, "initializer_range": 0.5,
    },
    "delay_pattern": [0, 2, 3],
}  # fmt: skip
TINY_CODEC: dict[str, Any] = {
    "sampling_rate": 8000, "encoder_hidden_size": 4, "downsampling_ratios": [8, 16, 20], "decoder_hidden_size": 16,
    "upsampling_ratios": [20, 16, 8], "n_codebooks": 3, "codebook_size": 256, "codebook_dim": 4, "hidden_size": 32,
}  # fmt: skip


class Dia:
    limit = 200

    def __init__(self, model: Any, tokenizer: Any, codec: Any) -> None:
        from transformers import DiaFeatureExtractor, DiaProcessor

        self.model, self.codec = model, codec
        self.sample_rate_hz: int = codec.config.sampling_rate
        hop = math.prod(codec.config.downsampling_ratios)
        self.frame_rate_hz = self.sample_rate_hz / hop
        extractor = DiaFeatureExtractor(sampling_rate=self.sample_rate_hz, hop_length=hop)
        self.processor = DiaProcessor(extractor, tokenizer, codec)
        decoder = model.config.decoder_config
        self.coding: dict[str, Any] = {
            "audio_kwargs": {
                "sampling_rate": self.sample_rate_hz,
                "delay_pattern": model.config.delay_pattern,
                "bos_token_id": decoder.bos_token_id,
                "eos_token_id": decoder.eos_token_id,
                "pad_token_id": decoder.pad_token_id,
            }
        }
        self.silence: int = decoder.pad_token_id
        self.context: int = decoder.max_position_embeddings - max(model.config.delay_pattern) - 1
        self.reading: int = model.config.encoder_config.max_position_embeddings
        self.voices = strangers.VOICES
        self.stranger = strangers.clips(self._say, self.sample_rate_hz)

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "Dia")
        clip = utterance.clip
        if clip is not None:
            require_words(clip, "Dia")
            seconds = len(clip.samples) / clip.sample_rate_hz + lasting_s(self.limit)
            read = len(script("", clip).encode()) + self.limit
            if self.frame_rate_hz * seconds > self.context or read > self.reading:
                raise refuse_long_clip(clip, "Dia")
        read = len(script(utterance.text, clip).encode())
        if read > self.reading:
            raise InvalidRequest(
                f"a sentence has {read} bytes with the words of its clip; Dia reads {self.reading}",
                param="input",
                code="input_too_long",
            )

    def say(self, utterance: Utterance) -> Samples:
        if not any(map(str.isalnum, utterance.text)):
            return numbers(torch.zeros(0))
        clip = utterance.clip or self.stranger(utterance.voice or self.voices[0])
        return stretch(self._say(utterance.text, clip, utterance.seed), self.sample_rate_hz, utterance.speed)

    def _say(self, text: str, clip: Clip | None, seed: int) -> Samples:
        heard = soxr.resample(clip.samples, clip.sample_rate_hz, self.sample_rate_hz) if clip else None
        asked = self.processor(
            text=[script(text, clip)], audio=heard, text_kwargs={"padding": False}, **self.coding
        ).to(self.model.device)
        begin = self.processor.get_audio_prompt_len(asked["decoder_attention_mask"], **self.coding)
        most = min(self.context - begin, math.ceil(self.frame_rate_hz * 2 * lasting_s(len(text))))
        with dice(seed):
            codes = self.model.generate(**asked, max_new_tokens=most)  # (1, begin + frames + delay, codebooks)
        spoken = int((codes[0, :, 0] != self.silence).sum()) - 1 - begin
        if spoken < 1:
            return numbers(torch.zeros(0))
        return numbers(self.processor.decode(codes, audio_prompt_len=begin, **self.coding))


def script(text: str, clip: Clip | None) -> str:
    """What is read: the words of the clip and the text, as one person says them unless they say otherwise."""
    words = f"{clip.transcript} {text}" if clip else text
    return words if words.startswith("[S") else f"{SPEAKER} {words}"


def load(how: Loading) -> Dia:
    from transformers import DacModel, DiaForConditionalGeneration

    model = how.adapt(load_model(DiaForConditionalGeneration, how))
    if not (how.folder / "codec" / "config.json").is_file():
        raise InvalidRequest(
            f"{how.folder.name} has no codec: put descript/dac_44khz into its folder codec/", param="model"
        )
    codec = load_model(DacModel, replace(how, dtype=torch.float32), "codec")  # half precision hisses
    return Dia(model, load_tokenizer(how.folder), codec)
