"""Whether a brief finds its own design among all of them by the starter's embeddings.

    python -m benchmarks.embeddings

R@1: the share of briefs whose nearest design, by cosine, is their own. The hand-written briefs are compared with the
designs that the starter made of them, as copy and as JSON; the house's held-out records with their own. Beside it: the
share of words in common (Jaccard), and chance.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np

from benchmarks.machine import describe, table
from benchmarks.starter import ask_all, read_briefs
from benchmarks.style import HELD_OUT, read_jsonl
from deploy.suite import running

MODEL = "starter-embedding"


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as suite, suite.client() as client:
        rows = read_briefs()
        made = [(row["prompt"], spec) for row, spec in zip(rows, ask_all(client, rows, "starter"), strict=True) if spec]
        held_out = [(row["prompt"], row["response"]) for row in read_jsonl(HELD_OUT)]
        lines = []
        for title, pairs in (("hand-written briefs, the starter's designs", made), ("held-out records", held_out)):
            briefs = [brief for brief, _ in pairs]
            forms = {
                "copy": ["\n".join(element["text"] for element in spec["elements"]) for _, spec in pairs],
                "JSON": [json.dumps(spec, ensure_ascii=False, separators=(",", ":")) for _, spec in pairs],
            }
            for form, designs in forms.items():
                found = recall(embed(client, briefs) @ embed(client, designs).T)
                overlap = recall(np.array([[jaccard(brief, design) for design in designs] for brief in briefs]))
                lines.append([title, form, len(briefs), f"{found:.2f}", f"{overlap:.2f}", f"{1 / len(briefs):.2f}"])
    print(table(["what", "designs as", "pairs", f"R@1 {MODEL}", "R@1 common words", "chance"], lines))


def embed(client: httpx.Client, texts: Sequence[str]) -> np.ndarray:
    """(N, C) of length 1."""
    answer = client.post("/v1/embeddings", json={"model": MODEL, "input": list(texts)}).raise_for_status().json()
    return np.array([row["embedding"] for row in answer["data"]])


def recall(scores: np.ndarray) -> float:
    """How many of the (N, N) rows have their greatest score on the diagonal."""
    return float((scores.argmax(1) == np.arange(len(scores))).mean())


def jaccard(one: str, other: str) -> float:
    a, b = set(one.lower().split()), set(other.lower().split())
    return len(a & b) / len(a | b)


if __name__ == "__main__":
    main()
