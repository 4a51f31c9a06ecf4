"""Before a model is published: what the serving engine answers is what the trainer saw, within rounding.

A fixed batch of the training data is read by both, token by token. They have to agree on its loss, and on what comes
next when the likeliest token is taken; else the run fails and says both numbers. It finds weights that were lost or
mixed up on their way to disk, a wrong scale of an adapter, another chat format, a cache or mask that leaks.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_text.engine import Engine, Request
from ml_text.settings import TextSettings
from ml_text.sources import Source, Sources
from shared.errors import OutOfMemory, ServiceError
from shared.training.packing import IGNORED, TrainingRows

SEQUENCES, LENGTH, CONTINUED = 4, 64, 8
"""How many texts, how long each, in tokens, and how many tokens are added to the first half of each."""
FINE, COARSE = 1e-3, 5e-2
"""Nats of loss that rounding may cost: weights in the same precision, and in another (bf16 or 4 bits against fp32)."""
TIE = 4.0
"""Two tokens whose logits differ by less than so many tolerances may change places."""
NAME = "checked"


class Unfaithful(ServiceError):
    """The saved model does not answer as the trained one."""

    default_code = "parity_failed"


@dataclass(frozen=True)
class Seen:
    """What the trainer makes of the batch."""

    loss: float
    """Nats per token."""
    tokens: list[list[int]]
    """The continuation of each text."""
    margins: list[list[float]]
    """By how much each of them was likelier than the next best, in logits."""


def parity(
    model: Any, rows: TrainingRows, settings: TextSettings, card: dict[str, Any], base: Source | None = None
) -> Callable[[Path], None]:
    """What `finish` is to check. `base` is an adapter's; both numbers are noted in `card`.

    The check raises Unfaithful. Where memory has no room for a second copy it is not made, and the card says so.
    """

    def check(folder: Path) -> None:
        if model.config.is_encoder_decoder:
            card["parity"] = {"checked": False, "reason": "not for encoder–decoders"}
            return
        texts = fixed_batch(rows)
        dtypes = {weight.dtype for weight in model.parameters()}
        tolerance = COARSE if base is not None and dtypes != {torch.float32} else FINE
        trained = look(model if base is not None else model.float(), texts)  # as it was saved, computed as it is served
        try:
            with ThreadPoolExecutor(1) as thread:  # a caller's event loop, if it has one, is not the engine's
                asking = ask(folder, base, texts, settings, trained, TIE * tolerance)
                served, differ = thread.submit(asyncio.run, asking).result()
        except OutOfMemory as error:
            card["parity"] = {"checked": False, "reason": str(error)}
            return
        loss = {"trained": round(trained.loss, 5), "served": round(served, 5)}
        card["parity"] = {"checked": True, **loss}
        if not abs(trained.loss - served) <= tolerance:  # also when one of them is not a number
            raise Unfaithful(
                f"the saved model is not the trained one: loss {trained.loss:.5f} in training, {served:.5f} served,"
                f" {abs(trained.loss - served):.5f} apart where {tolerance} is rounding; not published"
            )
        if differ:
            raise Unfaithful(f"the saved model is not the trained one: {differ}; not published")

    return check


def fixed_batch(rows: TrainingRows) -> list[list[int]]:
    """The first texts of the data, packed or padded, at most SEQUENCES of LENGTH tokens."""
    texts: list[list[int]] = []
    for place in range(len(rows)):
        batch = {name: value.tolist() for name, value in rows.batch(np.array([place])).items()}
        positions = batch.get("position_ids") or [list(range(len(ids))) for ids in batch["input_ids"]]
        for ids, targets, where in zip(batch["input_ids"], batch["targets"], positions, strict=True):
            starts = [at for at, position in enumerate(where) if position == 0]
            for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
                learnt = [at for at in range(start, end) if targets[at] != IGNORED]
                if learnt:  # else it is padding
                    texts.append(ids[start : min(learnt[-1] + 2, start + LENGTH)])
        if len(texts) >= SEQUENCES:
            break
    return texts[:SEQUENCES]


@torch.no_grad()
def look(model: Any, texts: Sequence[Sequence[int]]) -> Seen:
    """As the trainer sees it: whole texts at once, no cache."""
    was_training = model.training
    model.eval()
    losses: list[torch.Tensor] = []
    tokens, margins = [], []
    for text in texts:
        logits = _logits(model, text)
        wanted = torch.tensor(text[1:], device=logits.device)
        losses.append(torch.nn.functional.cross_entropy(logits[:-1], wanted, reduction="none"))
        said, gaps = list(text[: (len(text) + 1) // 2]), []
        for _ in range(CONTINUED):
            best = _logits(model, said)[-1].topk(2)
            said.append(int(best.indices[0]))
            gaps.append(float(best.values[0] - best.values[1]))
        tokens.append(said[-CONTINUED:])
        margins.append(gaps)
    model.train(was_training)
    return Seen(float(torch.cat(losses).mean()), tokens, margins)


def _logits(model: Any, text: Sequence[int]) -> torch.Tensor:
    ids = torch.tensor([list(text)], device=next(model.parameters()).device)
    return model(input_ids=ids, use_cache=False).logits[0].float()  # (T, V)


async def ask(
    folder: Path, base: Source | None, texts: Sequence[Sequence[int]], settings: TextSettings, trained: Seen, tie: float
) -> tuple[float, str | None]:
    """As a client would, through the engine, on the saved folder: its loss, and where it goes on differently."""
    sources = Sources(settings)
    if base is not None:
        sources.add(base)
    sources.add(Source(NAME, folder, 0, base.name if base else None))
    engine = Engine(settings, sources, NAME)
    try:
        nats, count, differ = 0.0, 0, None
        for place, text in enumerate(texts):
            scored = await _answer(engine, text, 0, score_prompt=True)
            nats -= sum(found.logprob or 0.0 for found in scored)
            count += len(text) - 1
            said = await _answer(engine, text[: (len(text) + 1) // 2], CONTINUED, score_prompt=False)
            wanted = [engine.pool.residents[0].base.spell(token) for token in trained.tokens[place]]
            differ = differ or _difference(
                place, wanted, [found.spelled for found in said], trained.margins[place], tie
            )
        return nats / max(count, 1), differ
    finally:
        await engine.close()


def _difference(place: int, wanted: list[bytes], said: list[bytes], margins: list[float], tie: float) -> str | None:
    """The first token that differs, unless rounding may have chosen between two: from there on nothing is told."""
    for at, expected in enumerate(wanted):
        got = said[at] if at < len(said) else b""
        if got != expected:
            if margins[at] < tie:
                return None
            return f"text {place + 1} goes on with {expected!r} in training and with {got!r} served, at token {at + 1}"
    return None


async def _answer(engine: Engine, prompt: Sequence[int], max_tokens: int, score_prompt: bool) -> list[Any]:
    request = Request(
        prompt=prompt,
        max_tokens=max_tokens,
        sampling={"temperature": 0.0, "repetition_penalty": 1.0},
        logprobs=0,
        score_prompt=score_prompt,
        ignore_eos=True,
        stream=False,
    )
    async with engine.open(request) as answer:
        said = [found async for delta in answer for found in delta.logprobs]
        return list(answer.prompt_logprobs) if score_prompt else said
