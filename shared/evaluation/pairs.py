"""Answers that were compared as they were given (MODEL_SHADOW), as the same report."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from shared.evaluation.compare import KEPT_CHARS, difference

SIDES = ("first", "second")
Record = Mapping[str, Any]
"""A shadow record as the wire has it: request, first and second (model, provider, answer, latency_ms …), vote."""


def report_of(records: Sequence[Record]) -> dict[str, Any]:
    """The first side is what clients got. Scores are means over the records that have one on both sides."""
    scored = [one for one in records if all(one[side]["score"] is not None for side in SIDES)]
    sides = [_side(side, records, scored) for side in SIDES]
    votes = {which: sum(one["vote"] == which for one in records) for which in (*SIDES, "tie")}
    return {
        "created": int(time.time()),
        "rows": len(records),
        "metrics": ["score"] if scored else [],
        "sides": sides,
        "difference": difference(sides),
        "votes": votes,
        "samples": [_sample(one) for one in reversed(records)],
    }


def _side(side: str, records: Sequence[Record], scored: Sequence[Record]) -> dict[str, Any]:
    own = [one[side] for one in records]
    latencies = sorted(one["latency_ms"] for one in own if one["answer"] is not None)
    costs = [one["cost_usd"] for one in own if one["cost_usd"] is not None]
    scores = {"score": round(sum(one[side]["score"] for one in scored) / len(scored), 5)} if scored else {}
    return {
        "name": " and ".join(dict.fromkeys(f"{one['model']} ({one['provider']})" for one in own)) or side,
        "scores": scores,
        "failed": sum(one["answer"] is None for one in own),
        "latency_ms": {"median": latencies[len(latencies) // 2], "worst": latencies[-1]} if latencies else None,
        "tokens": None,
        "cost_usd": round(sum(costs), 6) if costs else None,
    }


def _sample(record: Record) -> dict[str, Any]:
    return {
        "id": record["id"],
        "prompt": _prompt(record["request"])[:KEPT_CHARS],
        "reference": None,
        "sides": [
            {
                "answer": one["answer"] and one["answer"][:KEPT_CHARS],
                "scores": {} if one["score"] is None else {"score": one["score"]},
                "latency_ms": one["latency_ms"],
                "error": one.get("error"),
            }
            for one in (record[side] for side in SIDES)
        ],
        "vote": record["vote"],
    }


def _prompt(request: Any) -> str:
    """The last message, or the prompt, as text."""
    turns = request.get("messages") or [{}]
    said = turns[-1].get("content") if isinstance(turns, list) and isinstance(turns[-1], dict) else None
    said = said if said is not None else request.get("prompt", "")
    if isinstance(said, list):  # parts: what is text in them
        parts = cast(Iterable[Any], said)
        return "\n".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in parts)
    return said if isinstance(said, str) else json.dumps(said)
