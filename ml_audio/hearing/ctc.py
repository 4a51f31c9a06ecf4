"""CTC recognisers (https://dl.acm.org/doi/10.1145/1143844.1143891): Wav2Vec2 and Wav2Vec2-BERT, and what is like them.

A letter, a word's end or a blank for each frame. Windows overlap, and only the frames in the middle of each are used,
so that every frame was heard with what stands around it; times follow from the frames.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ml_audio.hearing.listener import RATE_HZ, Hearing, Segment, Task, Word
from ml_audio.sound.reading import Samples
from ml_audio.weights import Loading, load_model, load_processor
from shared.errors import InvalidRequest

WINDOW_S, CONTEXT_S = 20.0, 2.0
SHORTEST_S = 0.1
PAUSE_S = 0.6
"""Silence that ends a segment."""
LONGEST_S = 8.0
"""A segment is a subtitle: nobody reads a longer one."""
TINY: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": [16] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 30,
}  # fmt: skip


class Ctc:
    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        tokenizer = processor.tokenizer
        self.blank = tokenizer.pad_token_id
        tokens = tokenizer.convert_ids_to_tokens(range(model.config.vocab_size))
        self.delimiter = tokenizer.word_delimiter_token
        silent = {*tokenizer.all_special_tokens, None} - {self.delimiter}
        self.letters = ["" if token in silent else token for token in tokens]
        if not any(letter.islower() for letter in self.letters):  # trained on capitals alone
            self.letters = [letter.lower() for letter in self.letters]

    def begin(self, task: Task) -> Hearing:
        if task.task == "translate":
            raise InvalidRequest(
                "a CTC recogniser writes what it hears and does not translate; choose a Whisper model", param="model"
            )
        return CtcHearing(self)

    def frames(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """(T,) likeliest token of each frame, and its log-probability."""
        short = max(0, int(SHORTEST_S * RATE_HZ) - len(samples))
        heard = self.processor(np.pad(samples, (0, short)), sampling_rate=RATE_HZ, return_tensors="pt")
        heard = {name: value.to(self.model.device) for name, value in heard.items()}
        name = self.model.main_input_name
        heard[name] = heard[name].to(self.model.dtype)
        logprobs = self.model(**heard).logits[0].float().log_softmax(-1)  # (T, V)
        best = logprobs.max(-1)
        return best.indices.cpu().numpy(), best.values.cpu().numpy()


@dataclass
class CtcHearing:
    listener: Ctc
    window: int = int(WINDOW_S * RATE_HZ)
    before: int = -1
    """The token of the frame before."""
    letters: list[tuple[str, float, float, float]] = field(default_factory=list[tuple[str, float, float, float]])
    """Of the word that is being heard: letter, start, end, log-probability."""
    words: list[Word] = field(default_factory=list[Word])
    """Of the segment that is being heard."""
    tokens: list[int] = field(default_factory=list[int])

    def hear(self, samples: Samples, start: int, last: bool) -> tuple[list[Segment], int]:
        tokens, logprobs = self.listener.frames(samples)
        context = int(CONTEXT_S * RATE_HZ)
        hop = max(len(samples), int(SHORTEST_S * RATE_HZ)) / len(tokens)  # samples per frame
        first = 0 if start == 0 else round(context / hop)
        end = len(tokens) if last else round((len(samples) - context) / hop)
        found: list[Segment] = []
        for i in range(first, end):
            at = (start + i * hop) / RATE_HZ
            self._add(int(tokens[i]), float(logprobs[i]), at, at + hop / RATE_HZ, found)
        if last:
            self._end_word(found)
            self._end_segment(found)
        return found, len(samples) - 2 * context

    def _add(self, token: int, logprob: float, start_s: float, end_s: float, found: list[Segment]) -> None:
        repeated, self.before = token == self.before, token
        if token == self.listener.blank:
            return
        if repeated:  # the same letter goes on
            if self.letters:
                letter, began, _, best = self.letters[-1]
                self.letters[-1] = (letter, began, end_s, max(best, logprob))
            return
        letter = self.listener.letters[token]
        if letter and letter != self.listener.delimiter:
            if self.letters and (start_s - self.letters[-1][2] > PAUSE_S or end_s - self.letters[0][1] > LONGEST_S):
                self._end_word(found)  # a space that was not heard
            self.letters.append((letter, start_s, end_s, logprob))
            self.tokens.append(token)
        elif letter:
            self._end_word(found)

    def _end_word(self, found: list[Segment]) -> None:
        if not self.letters:
            return
        start_s, end_s = self.letters[0][1], self.letters[-1][2]
        logprob = sum(letter[3] for letter in self.letters) / len(self.letters)
        if self.words and (start_s - self.words[-1].end_s > PAUSE_S or end_s - self.words[0].start_s > LONGEST_S):
            kept = self.tokens[len(self.tokens) - len(self.letters) :]
            self.tokens = self.tokens[: len(self.tokens) - len(self.letters)]
            self._end_segment(found)
            self.tokens = kept
        self.words.append(Word("".join(letter[0] for letter in self.letters), start_s, end_s, logprob))
        self.letters = []

    def _end_segment(self, found: list[Segment]) -> None:
        if self.words:
            text = " ".join(word.text for word in self.words)
            logprob = sum(word.logprob for word in self.words) / len(self.words)
            found.append(Segment(text, self.words[0].start_s, self.words[-1].end_s, self.words, self.tokens, logprob))
        self.words, self.tokens = [], []


def load(how: Loading) -> Ctc:
    from transformers import AutoModelForCTC

    processor = load_processor(how.folder)
    if getattr(processor, "tokenizer", None) is None or not hasattr(processor.tokenizer, "word_delimiter_token"):
        raise InvalidRequest(f"{how.folder.name} has no CTC tokenizer", param="model")
    with torch.no_grad():
        return Ctc(how.adapt(load_model(AutoModelForCTC, how)), processor)
