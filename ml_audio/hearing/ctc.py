"""CTC recognisers (https://www.cs.toronto.edu/~graves/icml_2006.pdf): Wav2Vec2, Wav2Vec2-BERT, and what is like them.

A letter, a space or a blank for each frame. Windows overlap and are cut in the longest pause of their second half, so
that no word is torn and every frame was heard with what stands around it; times follow from the frames.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ml_audio.hearing.listener import RATE_HZ, Hearing, Segment, Task, Word
from ml_audio.models import ctc
from ml_audio.models.recogniser import Recogniser, read_words
from ml_audio.sound.reading import Samples
from ml_audio.weights import Loading, load_model, load_processor
from shared.errors import InvalidRequest

WINDOW_S, CONTEXT_S = 20.0, 2.0
SHORTEST_S = 0.1
PAUSE_S = 0.6
"""Silence that ends a segment."""
LONGEST_S = 8.0
"""A segment is a subtitle: nobody reads a longer one."""
BEAM = 16
TINY: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": [16] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 30,
}  # fmt: skip


@dataclass(frozen=True)
class Alphabet:
    """What the tokens of a model mean."""

    letters: Sequence[str]
    """Of each token; empty for those that say nothing."""
    blank: int
    space: int

    @classmethod
    def of(cls, tokenizer: Any, size: int) -> "Alphabet":
        tokens = tokenizer.convert_ids_to_tokens(range(size))
        delimiter = tokenizer.word_delimiter_token
        silent = {*tokenizer.all_special_tokens, None} - {delimiter}
        letters = ["" if token in silent else token for token in tokens]
        if not any(letter.islower() for letter in letters):  # trained on capitals alone
            letters = [letter.lower() for letter in letters]
        return cls(letters, tokenizer.pad_token_id, tokens.index(delimiter))


@dataclass
class Ctc:
    model: Any
    log_probs: Callable[[Samples], np.ndarray]
    """(N,) at RATE_HZ -> (T, V)"""
    alphabet: Alphabet
    words: ctc.WordList | None = None
    """With it a beam is searched; else the likeliest letter of each frame is taken."""

    def begin(self, task: Task) -> Hearing:
        if task.task == "translate":
            raise InvalidRequest(
                "a CTC recogniser writes what it hears and does not translate; choose a Whisper model", param="model"
            )
        return CtcHearing(self)

    def place(self, log_probs: np.ndarray) -> list[ctc.Placed]:
        """(T, V) -> letters and spaces with their frames."""
        blank = self.alphabet.blank
        if self.words is not None and len(log_probs):
            names = [letter or "\0" for letter in self.alphabet.letters]
            text = ctc.search(log_probs, names, names[self.alphabet.space], blank, BEAM, self.words)
            numbers = {name: number for number, name in enumerate(names)} | {" ": self.alphabet.space}
            found = ctc.align(log_probs, [numbers[letter] for letter in text], blank) if text else []
            if found is not None:
                return found
        return ctc.collapse(log_probs.argmax(1).tolist(), blank)


@dataclass
class CtcHearing:
    listener: Ctc
    window: int = int(WINDOW_S * RATE_HZ)
    done: int = 0
    """Samples that are written down."""
    words: list[Word] = field(default_factory=list[Word])
    """Of the segment that is being heard, and their tokens."""
    tokens: list[int] = field(default_factory=list[int])

    def hear(self, samples: Samples, start: int, last: bool) -> tuple[list[Segment], int]:
        short = max(0, int(SHORTEST_S * RATE_HZ) - len(samples))
        log_probs = self.listener.log_probs(np.pad(samples, (0, short)))
        found: list[Segment] = []
        if not len(log_probs):
            return self._finish(found) if last else found, len(samples)
        hop = (len(samples) + short) / len(log_probs)  # samples per frame
        first = round((self.done - start) / hop)
        end = len(log_probs) if last else self._cut(log_probs, first, round(CONTEXT_S * RATE_HZ / hop))
        self._write(log_probs[first:end], (start + first * hop) / RATE_HZ, hop / RATE_HZ, found)
        self.done = start + round(end * hop)
        if last:
            return self._finish(found), len(samples)
        return found, max(RATE_HZ, self.done - round(CONTEXT_S * RATE_HZ) - start)

    def _cut(self, log_probs: np.ndarray, first: int, context: int) -> int:
        """The middle of the longest pause between the middle of the window and the frames that lack what follows."""
        latest = len(log_probs) - context
        earliest = (first + latest) // 2
        best = log_probs[earliest:latest].argmax(1)
        quiet = (best == self.listener.alphabet.blank) | (best == self.listener.alphabet.space)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
        starts, ends = edges[::2], edges[1::2]
        if not len(starts):
            return latest
        longest = int((ends - starts).argmax())
        return earliest + int(starts[longest] + ends[longest]) // 2

    def _write(self, log_probs: np.ndarray, start_s: float, hop_s: float, found: list[Segment]) -> None:
        letters: list[ctc.Placed] = []
        for one in [*self.listener.place(log_probs), None]:
            ends = one is None or one.token == self.listener.alphabet.space
            torn = bool(letters) and one is not None and (one.first - letters[-1].last) * hop_s > PAUSE_S
            if letters and (ends or torn):  # torn: a space that was not heard
                self._add(letters, log_probs, start_s, hop_s, found)
                letters = []
            if one is not None and not ends and self.listener.alphabet.letters[one.token]:
                letters.append(one)

    def _add(
        self, letters: list[ctc.Placed], log_probs: np.ndarray, start_s: float, hop_s: float, found: list[Segment]
    ) -> None:
        text = "".join(self.listener.alphabet.letters[letter.token] for letter in letters)
        begin, end = start_s + letters[0].first * hop_s, start_s + (letters[-1].last + 1) * hop_s
        likely = [log_probs[letter.first : letter.last + 1, letter.token].max() for letter in letters]
        if self.words and (begin - self.words[-1].end_s > PAUSE_S or end - self.words[0].start_s > LONGEST_S):
            self._finish(found)
        self.words.append(Word(text, begin, end, float(np.mean(likely))))
        self.tokens += [letter.token for letter in letters]

    def _finish(self, found: list[Segment]) -> list[Segment]:
        """The segment that is being heard has ended."""
        if self.words:
            text = " ".join(word.text for word in self.words)
            logprob = sum(word.logprob for word in self.words) / len(self.words)
            start_s, end_s = self.words[0].start_s, self.words[-1].end_s
            found.append(Segment(text, start_s, end_s, self.words, self.tokens, logprob))
        self.words, self.tokens = [], []
        return found


def load(how: Loading) -> Ctc:
    from transformers import AutoModelForCTC

    processor = load_processor(how.folder)
    tokenizer = getattr(processor, "tokenizer", None)
    if getattr(tokenizer, "word_delimiter_token", None) is None:
        raise InvalidRequest(f"{how.folder.name} has no CTC tokenizer", param="model")
    model = how.adapt(load_model(AutoModelForCTC, how))
    alphabet = Alphabet.of(tokenizer, model.config.vocab_size)
    if model.config.model_type == "wav2vec2-bert":  # its features, twenty times faster than by the processor
        recogniser = Recogniser(model, alphabet.letters, model.config.feature_projection_input_dim // 80)
        return Ctc(
            model, lambda samples: recogniser.log_probs(torch.from_numpy(samples)), alphabet, read_words(how.folder)
        )
    return Ctc(model, lambda samples: _heard(model, processor, samples), alphabet)


def _heard(model: Any, processor: Any, samples: Samples) -> np.ndarray:
    given = processor(samples, sampling_rate=RATE_HZ, return_tensors="pt")
    given = {name: value.to(model.device) for name, value in given.items()}
    given[model.main_input_name] = given[model.main_input_name].to(model.dtype)
    return model(**given).logits[0].float().log_softmax(-1).cpu().numpy()
