"""One model, or two side by side, over the same examples: answers, scores, and a report."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.errors import InvalidRequest, ServiceError
from shared.evaluation.examples import Example
from shared.evaluation.metrics import METRICS, Metric, Scores, mean
from shared.sandbox import run

KEPT_CHARS = 4000
"""Of an answer, in the report; it is scored whole."""


@dataclass(frozen=True)
class Answer:
    text: str
    tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True)
class Wish:
    """How answers are made."""

    samples: int = 1
    """Answers to each problem of code; 1 to everything else."""
    max_tokens: int = 512
    temperature: float = 0.0
    raw: bool = False
    """Code: go on from the bare prompt instead of asking in a chat, for models that were never taught to chat."""


class Side(Protocol):
    """A model that is asked. Both calls raise ServiceErrors."""

    name: str

    async def answer(self, example: Example, wish: Wish, seed: int) -> Answer: ...

    async def foretell(self, text: str) -> tuple[float, int]:
        """(nats, tokens) that `text` costs the model."""
        ...


@dataclass
class Asked:
    """What became of one example on one side."""

    answers: list[Answer] = field(default_factory=list[Answer])
    scores: list[Scores] = field(default_factory=list[Scores])
    """Of each answer."""
    latency_ms: float | None = None
    """Of the first answer."""
    nats: tuple[float, int] | None = None
    error: str | None = None


def choose(examples: Sequence[Example], names: Sequence[str]) -> dict[str, Metric]:
    """The metrics by name, or every one that applies. Raises InvalidRequest on `metrics`."""
    for name in names:
        if name not in METRICS:
            raise InvalidRequest(f"there is no metric {name!r}; there is {', '.join(METRICS)}", param="metrics")
        if not any(METRICS[name].applies(example) for example in examples):
            raise InvalidRequest(f"no row of the data set has what {name} needs", param="metrics")
    return {
        name: metric
        for name, metric in METRICS.items()
        if (name in names if names else any(metric.applies(example) for example in examples))
    }


async def compare(
    sides: Sequence[Side],
    examples: Sequence[Example],
    metrics: dict[str, Metric],
    wish: Wish,
    at_once: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The report as JSON. A failed answer is noted and counts for nothing; IsolationRefused and the like end it."""
    if "pass" in metrics:  # before anything is asked
        await asyncio.to_thread(run, "pass")
    slots = asyncio.Semaphore(at_once)
    done = 0

    async def ask(side: Side, example: Example) -> Asked:
        nonlocal done
        async with slots:
            asked = await _ask(side, example, metrics, wish)
        done += 1
        progress(done, len(sides) * len(examples))
        return asked

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [[group.create_task(ask(side, example)) for example in examples] for side in sides]
    except ExceptionGroup as failed:  # the others were stopped; one reason is enough
        raise failed.exceptions[0] from None
    asked = [[task.result() for task in row] for row in tasks]
    shown = [_side(side, examples, row, metrics) for side, row in zip(sides, asked, strict=True)]
    return {
        "created": int(time.time()),
        "rows": len(examples),
        "metrics": list(metrics),
        "sides": shown,
        "difference": difference(shown),
        "samples": [_sample(example, [row[place] for row in asked]) for place, example in enumerate(examples)],
    }


async def _ask(side: Side, example: Example, metrics: dict[str, Metric], wish: Wish) -> Asked:
    asked = Asked()
    measures = [metric.one for metric in metrics.values() if metric.one and metric.applies(example)]
    try:
        if "perplexity" in metrics and example.text is not None:
            asked.nats = await side.foretell(example.text)
        for seed in range(wish.samples if example.problem else 1) if measures else ():
            started = time.perf_counter()
            answer = await side.answer(example, wish, seed)
            asked.latency_ms = asked.latency_ms or round(1000 * (time.perf_counter() - started), 1)
            asked.answers.append(answer)
    except ServiceError as error:
        asked.error = str(error)
        return asked
    for answer in asked.answers:
        # off the event loop: code is run, fonts are measured
        scored = [await asyncio.to_thread(measure, example, answer.text) for measure in measures]
        asked.scores.append({name: value for scores in scored for name, value in scores.items()})
    return asked


def _side(
    side: Side, examples: Sequence[Example], asked: Sequence[Asked], metrics: dict[str, Metric]
) -> dict[str, Any]:
    scores: Scores = {}
    for metric in metrics.values():
        found = [(e, a) for e, a in zip(examples, asked, strict=True) if metric.applies(e) and a.error is None]
        if not found:
            continue
        if metric.one is None:
            scores |= _perplexity([one.nats for _, one in found if one.nats])
            continue
        answered = [(example, [answer.text for answer in one.answers]) for example, one in found]
        own = [one.scores for _, one in found]
        scores |= metric.overall(answered, own) if metric.overall else mean(own, metric.names)
    latencies = sorted(one.latency_ms for one in asked if one.latency_ms is not None)
    costs = [answer.cost_usd for one in asked for answer in one.answers if answer.cost_usd is not None]
    return {
        "name": side.name,
        "scores": {name: round(value, 5) for name, value in scores.items()},
        "failed": sum(one.error is not None for one in asked),
        "latency_ms": {"median": latencies[len(latencies) // 2], "worst": latencies[-1]} if latencies else None,
        "tokens": sum(answer.tokens for one in asked for answer in one.answers),
        "cost_usd": round(sum(costs), 6) if costs else None,
    }


def _perplexity(nats: Sequence[tuple[float, int]]) -> Scores:
    """exp of the mean over all tokens; tokens differ between tokenizers, characters do not."""
    tokens = sum(count for _, count in nats)
    return {"perplexity": math.exp(min(sum(cost for cost, _ in nats) / tokens, 700.0))} if tokens else {}


def difference(sides: Sequence[dict[str, Any]]) -> Scores | None:
    """By how much the second side's scores are higher; None when there is one side."""
    if len(sides) < 2:
        return None
    first, second = (side["scores"] for side in sides)
    return {name: round(second[name] - first[name], 5) for name in first if name in second}


def _sample(example: Example, asked: Sequence[Asked]) -> dict[str, Any]:
    prompt = example.text or (example.brief.prompt if example.brief else example.messages[-1]["content"])
    return {
        "id": example.id,
        "prompt": prompt[:KEPT_CHARS],
        "reference": example.reference and example.reference[:KEPT_CHARS],
        "sides": [
            {
                "answer": one.answers[0].text[:KEPT_CHARS] if one.answers else None,
                "scores": _of_sample(one),
                "latency_ms": one.latency_ms,
                "error": one.error,
            }
            for one in asked
        ],
        "vote": None,
    }


def _of_sample(asked: Asked) -> Scores:
    """Means over the answers to one example."""
    if asked.nats:
        return {"perplexity": round(math.exp(min(asked.nats[0] / max(asked.nats[1], 1), 700.0)), 5)}
    names = asked.scores[0] if asked.scores else ()
    return {name: round(sum(score[name] for score in asked.scores) / len(asked.scores), 5) for name in names}
