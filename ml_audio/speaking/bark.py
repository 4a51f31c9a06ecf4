"""Bark (https://github.com/suno-ai/bark): three transformers, one behind the other, and a codec.

Text becomes tokens of meaning, those become the first codebooks of EnCodec (https://arxiv.org/abs/2210.13438), those
become all of them. A voice is a history of all three, which what is said goes on from.
"""

from typing import Any

import torch

from ml_audio.sound.reading import Samples
from ml_audio.sound.stretch import stretch
from ml_audio.speaking import strangers
from ml_audio.speaking.bark_voices import History, read_voices
from ml_audio.speaking.speaker import Utterance, dice, numbers, refuse_clip, refuse_mood
from ml_audio.weights import Loading, load_model, load_tokenizer
from shared.errors import InvalidRequest

CHARACTERS = 180
"""Some 12 seconds; what is longer comes out hurried, or cut."""
_PART: dict[str, Any] = {
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 2,
    "block_size": 256,
    "initializer_range": 1.0,
}
TINY: dict[str, Any] = {
    "semantic_config": {**_PART, "input_vocab_size": 100, "output_vocab_size": 24},
    "coarse_acoustics_config": {**_PART, "input_vocab_size": 56, "output_vocab_size": 56},
    "fine_acoustics_config": {
        **_PART, "input_vocab_size": 20, "output_vocab_size": 20, "n_codes_total": 4, "n_codes_given": 1,
    },
    "codec_config": {
        "model_type": "encodec", "sampling_rate": 8000, "upsampling_ratios": [8, 5, 4], "num_filters": 4,
        "hidden_size": 8, "codebook_size": 16, "target_bandwidths": [0.8], "num_lstm_layers": 1,
    },
}  # fmt: skip


class Bark:
    def __init__(self, model: Any, tokenizer: Any, voices: dict[str, History]) -> None:
        from transformers.models.bark.generation_configuration_bark import (
            BarkCoarseGenerationConfig,
            BarkFineGenerationConfig,
            BarkSemanticGenerationConfig,
        )

        how = model.generation_config
        self.semantic = BarkSemanticGenerationConfig(**how.semantic_config)
        self.coarse = BarkCoarseGenerationConfig(**how.coarse_acoustics_config)
        self.fine = BarkFineGenerationConfig(**how.fine_acoustics_config)
        self.codebook_size: int = how.codebook_size
        self.model, self.tokenizer, self.histories = model, tokenizer, voices
        self.sample_rate_hz: int = model.config.codec_config.sampling_rate
        self.voices = list(voices) or strangers.VOICES
        self.limit = min(CHARACTERS, self.semantic.max_input_semantic_length)
        self.stranger = strangers.introduce(self._introduce)

    def check(self, utterance: Utterance) -> None:
        refuse_mood(utterance, "Bark")
        refuse_clip(utterance, "Bark")
        count = len(self.tokenizer(utterance.text, add_special_tokens=False)["input_ids"])
        if count > self.semantic.max_input_semantic_length:  # it would leave out the rest
            raise InvalidRequest(
                f"a sentence has {count} tokens; Bark reads {self.semantic.max_input_semantic_length}",
                param="input",
                code="input_too_long",
            )

    def say(self, utterance: Utterance) -> Samples:
        if not any(map(str.isalnum, utterance.text)):
            return numbers(torch.zeros(0))
        name = utterance.voice or self.voices[0]
        history = self.histories[name] if self.histories else self.stranger(name)
        with dice(utterance.seed):
            samples, _ = self._generate(utterance.text, history)
        return stretch(numbers(samples), self.sample_rate_hz, utterance.speed)

    def _introduce(self, line: str, seed: int) -> History | None:
        with dice(seed):
            return self._generate(line, None)[1]

    def _generate(self, text: str, history: History | None) -> tuple[torch.Tensor, History | None]:
        """(1, T), and what it goes on from afterwards; nothing when the model stops before it has begun."""
        words = self.tokenizer(
            text,
            padding="max_length",
            max_length=self.semantic.max_input_semantic_length,
            add_special_tokens=False,
            return_tensors="pt",
        ).to(self.model.device)
        before: dict[str, Any] = {
            "history_prompt": history and {name: codes.to(self.model.device) for name, codes in history.items()},
            "semantic_generation_config": self.semantic,
        }
        meaning = self.model.semantic.generate(
            words["input_ids"], attention_mask=words["attention_mask"], **before
        )  # (1, S)
        said = meaning[meaning != self.semantic.semantic_pad_token].clone()
        if not len(said):
            return torch.zeros(1, 0), None
        before |= {"coarse_generation_config": self.coarse, "codebook_size": self.codebook_size}
        coarse = self.model.coarse_acoustics.generate(meaning, **before)  # (1, T * coarse codebooks)
        fine = self.model.fine_acoustics.generate(coarse, fine_generation_config=self.fine, **before)  # (1, codes, T)
        after = {
            "semantic_prompt": said,
            "coarse_prompt": fine[0, : self.coarse.n_coarse_codebooks],
            "fine_prompt": fine[0],
        }
        return self.model.codec_decode(fine), after


def load(how: Loading) -> Bark:
    from transformers import BarkModel

    model = how.adapt(load_model(BarkModel, how))
    parts = model.generation_config
    if not hasattr(parts, "semantic_config"):
        raise InvalidRequest(f"{how.folder.name} has no generation_config.json with its three parts", param="model")
    voices = read_voices(how.folder, parts.semantic_config.get("semantic_vocab_size", 10_000), parts.codebook_size)
    return Bark(model, load_tokenizer(how.folder), voices)
