"""CSM (https://github.com/SesameAILabs/csm): a conversation, in text and sound, that goes on.

A Llama reads turns, each its text and then the frames of Mimi (https://arxiv.org/abs/2410.00037) in which it was said,
and writes the first code of every frame; a small one behind it writes the others. The clip is the turn before.
"""

import math
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

SPEAKER = "[0]"
"""Before all that one person says."""
_SIZES: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "num_codebooks": 3, "vocab_size": 18, "initializer_range": 0.5,
}  # fmt: skip
TINY: dict[str, Any] = {
    **_SIZES, "text_vocab_size": 64, "max_position_embeddings": 1024, "pad_token_id": 0, "bos_token_id": 1,
    "audio_token_id": 3, "audio_eos_token_id": 4, "codebook_pad_token_id": 17,
    "depth_decoder_config": {**_SIZES, "backbone_hidden_size": 16, "max_position_embeddings": 4},
    "codec_config": {
        "model_type": "mimi", "sampling_rate": 8000, "upsampling_ratios": [8, 8, 20], "num_filters": 4,
        "hidden_size": 16, "codebook_size": 16, "codebook_dim": 8, "num_quantizers": 3, "upsample_groups": 16,
        "vector_quantization_hidden_dimension": 8, "num_hidden_layers": 1, "intermediate_size": 32,
        "num_attention_heads": 2, "num_key_value_heads": 2,
    },
}  # fmt: skip


class Csm:
    limit = 200

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        codec = model.config.codec_config
        self.sample_rate_hz: int = codec.sampling_rate
        self.frame_rate_hz: float = codec.frame_rate
        self.context: int = model.config.max_position_embeddings
        self.voices = strangers.VOICES
        self.stranger = strangers.clips(self._say, self.sample_rate_hz)
        soundless = list(range(codec.codebook_size, model.config.vocab_size))
        model.generation_config.suppress_tokens = model.depth_decoder.generation_config.suppress_tokens = soundless

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "CSM")
        if utterance.clip is not None:
            require_words(utterance.clip, "CSM")
            before = len(self._prompt("", utterance.clip, len(self._resampled(utterance.clip))))
            sentence = self.limit + math.ceil(self.frame_rate_hz * lasting_s(self.limit))
            if before + sentence > self.context:
                raise refuse_long_clip(utterance.clip, "CSM")

    def say(self, utterance: Utterance) -> Samples:
        if not any(map(str.isalnum, utterance.text)):
            return numbers(torch.zeros(0))
        clip = utterance.clip or self.stranger(utterance.voice or self.voices[0])
        return stretch(self._say(utterance.text, clip, utterance.seed), self.sample_rate_hz, utterance.speed)

    def _say(self, text: str, clip: Clip | None, seed: int) -> Samples:
        before: dict[str, Any] = {}
        heard = self._resampled(clip) if clip else None
        ids = torch.tensor([self._prompt(text, clip, 0 if heard is None else len(heard))], device=self.model.device)
        if heard is not None:
            before["input_values"] = torch.from_numpy(heard).to(self.model.device, self.model.dtype)[None, None]
            before["input_values_cutoffs"] = torch.tensor([[len(heard)]], device=self.model.device)
        most = min(self.context - ids.shape[1], math.ceil(self.frame_rate_hz * 2 * lasting_s(len(text))))
        with dice(seed):
            codes = self.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, **before
            )[0]  # (frames, codebooks)
        ends = (codes == self.model.config.codebook_eos_token_id).all(dim=-1).nonzero()
        codes = codes[: int(ends[0])] if len(ends) else codes
        return numbers(self.model.codec_model.decode(codes.T[None]).audio_values if len(codes) else torch.zeros(0))

    def _prompt(self, text: str, clip: Clip | None, heard: int) -> list[int]:
        """The ids of both turns; `heard` samples are what was said in the first."""
        if clip is None:
            return self._turn(text)
        length = torch.tensor(heard, device=self.model.device)
        frames = int(self.model.codec_model.get_encoded_length(length))
        config = self.model.config
        said = [config.audio_token_id] * frames + [config.audio_eos_token_id]
        return self._turn(clip.transcript) + said + self._turn(text)

    def _turn(self, text: str) -> list[int]:
        """What looks like a special token in the text is read as letters."""
        ids = self.tokenizer(SPEAKER + text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [self.tokenizer.bos_token_id, *ids, self.tokenizer.eos_token_id]

    def _resampled(self, clip: Clip) -> Samples:
        return soxr.resample(clip.samples, clip.sample_rate_hz, self.sample_rate_hz)


def load(how: Loading) -> Csm:
    from transformers import CsmForConditionalGeneration

    model, tokenizer = how.adapt(load_model(CsmForConditionalGeneration, how)), load_tokenizer(how.folder)
    if tokenizer.bos_token_id is None or tokenizer.eos_token_id is None:
        raise InvalidRequest(f"the tokenizer in {how.folder.name} has no tokens for begin and end", param="model")
    return Csm(model, tokenizer)
