"""Beam search: keep the k likeliest beginnings of an answer, and of the finished ones the k with the best score.

Scores are sums of log-probabilities, divided by length ** length_penalty; what is kept, and when no better answer can
come, is as in transformers' `generate(num_beams=k)`. One request's beams are the rows of a cache of its own, and each
step is one forward pass, so that other requests go on in between.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from ml_text.forward import Forward, RowCache
from ml_text.job import Beams, Delta, Job
from ml_text.sampling import Sampler
from ml_text.slots import Decode, Prefill
from shared.errors import ServiceError

NEVER = -1e9
"""Added to the score of what is not to be chosen."""


@dataclass(frozen=True)
class Beam:
    tokens: tuple[int, ...]
    score: float
    """Of a finished one: with the length's share taken out."""
    reason: Literal["stop", "length"] | None = None


@dataclass
class Finished:
    """The best finished answers so far, the best first."""

    beams: Beams
    best: list[Beam] = field(default_factory=list[Beam])

    @property
    def full(self) -> bool:
        return len(self.best) == self.beams.width

    def add(self, made: list[Beam]) -> None:
        if made and not (self.full and self.beams.early_stopping is True):
            self.best = sorted([*self.best, *made], key=lambda beam: -beam.score)[: self.beams.width]

    def may_improve(self, running: float, length: int, longest: int) -> bool:
        """Whether a beam of `length` tokens with the sum `running` may still beat the worst of a full list."""
        if not self.full:
            return True
        penalty = self.beams.length_penalty
        hoped = longest if self.beams.early_stopping == "never" and penalty > 0 else length
        return running / hoped**penalty > self.best[-1].score


class BeamSearch:
    """`step` until it returns the answers, one delta each."""

    def __init__(self, job: Job, forward: Forward, cache: RowCache, prefill_tokens: int) -> None:
        assert job.beams is not None
        self.job, self.beams = job, job.beams
        self._forward, self._cache, self._prefill_tokens = forward, cache, prefill_tokens
        self._running = [Beam((), 0.0)] + [Beam((), NEVER)] * (self.beams.width - 1)
        self._finished = Finished(self.beams)

    def step(self) -> list[Delta]:
        """Read a piece of the prompt, or one more token for every beam. The answers, once there are."""
        job = self.job
        if job.read < len(job.prompt_ids):
            logits = self._read()
            if job.read < len(job.prompt_ids):
                return []
            if not job.max_tokens:
                return [Delta(finish_reason="length", choice=choice) for choice in range(self.beams.answers)]
        else:
            logits = self._decode()
        return self._told() if self._choose(logits) else []

    def _read(self) -> Tensor:
        """(k, V) once the prompt is read: the same for all beams."""
        job = self.job
        count = min(len(job.prompt_ids) - job.read, self._prefill_tokens)
        place = Prefill(0, job.read, count, job.source(self._cache.rows.device))
        self._cache.reserve(self.beams.width, len(job.prompt_ids) + 1, len(job.source_ids or ()))
        ids = torch.tensor([job.prompt_ids[job.read : place.length]], device=self._cache.rows.device)
        logits = self._forward(ids, place, self._cache)[0, -1]
        job.read += count
        if job.read == len(job.prompt_ids):
            for row in range(1, self.beams.width):
                self._cache.move(0, row, job.read)
        return logits.expand(self.beams.width, -1)

    def _decode(self) -> Tensor:
        job, device = self.job, self._cache.rows.device
        length = len(job.prompt_ids) + len(self._running[0].tokens) - 1
        place = Decode(torch.full((self.beams.width,), length, device=device), length)
        self._cache.reserve(self.beams.width, place.length)
        ids = torch.tensor([[beam.tokens[-1]] for beam in self._running], device=device)
        return self._forward(ids, place, self._cache)[:, -1]

    def _choose(self, logits: Tensor) -> bool:
        """Go on with the best continuations by logits (k, V); True when the search is over."""
        width = self.beams.width
        scores = self._scores(logits)
        # one more for every way to end, so that enough go on even if all of the best end here
        keep = min(max(2, 1 + len(self.job.end_ids)) * width, scores.numel())
        top = scores.flatten().topk(keep)
        places = [divmod(place, scores.shape[1]) for place in top.indices.tolist()]
        made = [
            self._extended(self._running[parent], token, score)
            for (parent, token), score in zip(places, top.values.tolist(), strict=True)
        ]
        length = len(made[0].tokens)
        divisor = length**self.beams.length_penalty
        self._finished.add([replace(beam, score=beam.score / divisor) for beam in made[:width] if beam.reason])
        dimmed = [beam.score + (NEVER if beam.reason else 0) for beam in made]
        going = sorted(range(keep), key=lambda place: -dimmed[place])[:width]
        self._running = [Beam(made[place].tokens, dimmed[place]) for place in going]
        if all(beam.reason for beam in made) or (self._finished.full and self.beams.early_stopping is True):
            return True
        if not self._finished.may_improve(self._running[0].score, length, self.job.max_tokens):
            return True
        parents = torch.tensor([places[place][0] for place in going], device=self._cache.rows.device)
        self._cache.reorder(parents, len(self.job.prompt_ids) + length - 1)
        return False

    def _scores(self, logits: Tensor) -> Tensor:
        """(k, V): the sums of log-probabilities with one more token."""
        scores = torch.log_softmax(logits.float(), dim=-1).cpu()
        if self.job.sampler.adjusts:
            # penalties act on log-probabilities, as transformers' processors do under beam search
            rows = [self._penalised(row, beam) for row, beam in zip(scores, self._running, strict=True)]
            scores = torch.stack(rows)
        scores = scores + torch.tensor([[beam.score] for beam in self._running])
        if not scores.max().isfinite():
            raise ServiceError("the model's output is not a number: its weights are broken", code="broken_model")
        return scores

    def _extended(self, beam: Beam, token: int, score: float) -> Beam:
        tokens = (*beam.tokens, token)
        ended = token in self.job.end_ids or self.job.text.would_stop(tokens)
        full = len(tokens) >= self.job.max_tokens
        return Beam(tokens, score, "stop" if ended else "length" if full else None)

    def _penalised(self, scores: Tensor, beam: Beam) -> Tensor:
        sampler = Sampler(self.job.sampler.sampling, len(scores))
        return torch.from_numpy(sampler.adjusted(scores.numpy().copy(), self.job.prompt_ids, beam.tokens))

    def _told(self) -> list[Delta]:
        """The best answers' text, each as one delta."""
        told: list[Delta] = []
        for choice, beam in enumerate(self._finished.best[: self.beams.answers]):
            text = self.job.text.whole([id for id in beam.tokens if id not in self.job.end_ids])
            told.append(Delta(text, beam.reason, len(beam.tokens), choice=choice))
        return told
