"""Whisper (https://arxiv.org/abs/2212.04356): text with times from 30 seconds, in many languages, or in English.

Windows overlap by what was not certain: the next begins where the last whole segment ended (section 3.8 of the paper).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ml_audio.hearing.listener import RATE_HZ, Hearing, Segment, Task, Word
from ml_audio.sound.reading import Samples
from ml_audio.weights import Loading, load_model, load_processor
from shared.errors import InvalidRequest

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""One after the other, while what comes out repeats itself or is unlikely."""
REPEATS, UNLIKELY, SILENT = 1.35, -1.0, 0.6
"""Thresholds of transformers: compression ratio of the tokens, log-probability, probability of no speech."""
EDGE_S = 3.0
"""What ends within so much of the window's end may go on behind it."""
TINY: dict[str, Any] = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": 80, "max_target_positions": 48,
    "suppress_tokens": [], "begin_suppress_tokens": [],
}  # fmt: skip


class Whisper:
    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        config = model.generation_config
        self.languages = {token.strip("<|>"): id for token, id in (getattr(config, "lang_to_id", None) or {}).items()}
        self.multilingual = bool(self.languages) and getattr(config, "is_multilingual", True)
        if getattr(config, "no_timestamps_token_id", None) is None:
            raise InvalidRequest(
                "the generation config of this Whisper is not Whisper's: it has no times", param="model"
            )
        self.first_time = config.no_timestamps_token_id + 1
        self.seconds: float = model.config.max_source_positions / 50

    def begin(self, task: Task) -> Hearing:
        if task.language and self.multilingual and task.language not in self.languages:
            able = ", ".join(sorted(self.languages))
            raise InvalidRequest(f"the model does not know {task.language!r}; it knows {able}", param="language")
        if not self.multilingual and (task.task == "translate" or task.language not in (None, "en")):
            param = "model" if task.task == "translate" else "language"
            raise InvalidRequest("this model knows English alone", param=param)
        if task.words and not getattr(self.model.generation_config, "alignment_heads", None):
            raise InvalidRequest(
                "this model has no times of words: its generation config names no alignment heads",
                param="timestamp_granularities",
            )
        return WhisperHearing(self, task, int(self.seconds * RATE_HZ))

    @property
    def english_only(self) -> bool:
        return not self.multilingual


@dataclass
class WhisperHearing:
    listener: Whisper
    task: Task
    window: int
    language: str | None = None

    def hear(self, samples: Samples, start: int, last: bool) -> tuple[list[Segment], int]:
        features = self._features(samples)
        if self.language is None:
            self.language = self.task.language or self._detect(features)
        made = self.listener.model.generate(features["input_features"], **self._how(features))
        found = [segment for segment in made["segments"][0] if float(segment["start"]) * RATE_HZ < len(samples)]
        step = len(samples)
        certain = [s for s in found if float(s["end"]) <= self.listener.seconds - EDGE_S]
        if not last and certain:  # the rest is heard again, with what comes behind it
            found, step = certain, max(RATE_HZ, round(float(certain[-1]["end"]) * RATE_HZ))
        end_s = (start + len(samples)) / RATE_HZ
        segments = [self._segment(segment, start / RATE_HZ, end_s) for segment in found]
        return [segment for segment in segments if segment.text], step

    def _features(self, samples: Samples) -> dict[str, torch.Tensor]:
        model = self.listener.model
        made = self.listener.processor.feature_extractor(
            samples, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True
        )
        return {
            "input_features": made["input_features"].to(model.device, model.dtype),
            "attention_mask": made["attention_mask"].to(model.device),
        }

    def _how(self, features: dict[str, torch.Tensor]) -> dict[str, Any]:
        listener, task = self.listener, self.task
        how: dict[str, Any] = {
            "attention_mask": features["attention_mask"],
            "return_timestamps": True,
            "return_segments": True,
            "return_token_timestamps": task.words,
            "temperature": task.temperature or TEMPERATURES,
            "do_sample": None if not task.temperature else True,
            "compression_ratio_threshold": REPEATS,
            "logprob_threshold": UNLIKELY,
            "no_speech_threshold": SILENT,
        }
        if listener.multilingual:
            how |= {"language": self.language, "task": task.task}
        if task.prompt:
            prompt = listener.processor.tokenizer.get_prompt_ids(task.prompt, return_tensors="pt")
            how["prompt_ids"] = prompt[-listener.model.config.max_target_positions // 4 :].to(listener.model.device)
        return how

    def _detect(self, features: dict[str, torch.Tensor]) -> str | None:
        if not self.listener.multilingual:
            return "en"
        (id,) = self.listener.model.detect_language(features["input_features"]).tolist()
        return next((name for name, token in self.listener.languages.items() if token == id), None)

    def _segment(self, found: Any, offset_s: float, latest_s: float) -> Segment:
        tokens = [int(token) for token in found["tokens"] if int(token) < self.listener.first_time]
        text = self.listener.processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        logprob = _logprob(found)
        words = self._words(found, offset_s, latest_s, logprob) if self.task.words else []
        return Segment(
            text=text,
            start_s=offset_s + float(found["start"]),
            end_s=min(latest_s, offset_s + float(found["end"])),
            words=words,
            tokens=tokens,
            logprob=logprob,
            temperature=self.task.temperature,
            language=self.language,
        )

    def _words(self, found: Any, offset_s: float, latest_s: float, logprob: float) -> list[Word]:
        """Tokens up to the next blank are a word; its time is that of the first, its end that of the word behind."""
        tokenizer = self.listener.processor.tokenizer
        pairs = [
            (int(token), min(max(float(at), float(found["start"])), float(found["end"])))
            for token, at in zip(found["tokens"], found["token_timestamps"], strict=False)
            if int(token) < self.listener.first_time and int(token) not in tokenizer.all_special_ids
        ]
        grouped: list[tuple[list[int], float]] = []
        for token, at in pairs:
            piece = tokenizer.decode([token])
            if not grouped or piece[:1].isspace():
                grouped.append(([], at))
            grouped[-1][0].append(token)
        if not grouped:
            return []
        ends = [at for _, at in grouped[1:]] + [float(found["end"])]
        return [
            Word(text, min(latest_s, offset_s + at), min(latest_s, offset_s + max(at, end)), logprob)
            for (ids, at), end in zip(grouped, ends, strict=True)
            if (text := tokenizer.decode(ids).strip())
        ]


def _logprob(found: Any) -> float:
    """Mean over the segment's tokens. transformers keeps the scores of the call that the segment came from."""
    result = found["result"]
    scores = result.get("scores") if isinstance(result, dict) else None
    start, end = (int(index) for index in found["idxs"])
    if not scores:
        return 0.0
    sequence = result["sequences"]
    skipped = len(sequence) - len(scores)  # the prompt has no scores
    values = [
        float(scores[i - skipped].float().log_softmax(-1)[..., int(sequence[i])])
        for i in range(max(start, skipped), end)
        if 0 <= i - skipped < len(scores)
    ]
    finite = [value for value in values if np.isfinite(value)]
    return sum(finite) / len(finite) if finite else 0.0


def load(how: Loading) -> Whisper:
    from transformers import WhisperForConditionalGeneration

    return Whisper(how.adapt(load_model(WhisperForConditionalGeneration, how)), load_processor(how.folder))
