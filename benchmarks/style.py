"""Whether a LoRA on one's own records pays: adherence to the house style, and what it costs elsewhere.

    python -m benchmarks.style [--epochs N]

Adherence is the share of held-out records whose palette, fonts, layout class and headline form are the house's
(`ml_text.corpus.house`, written before anything was trained on it). A LoRA on shuffled pairs, the same answers under
other briefs, shows how much of it is understood and not only repeated. The general score is the mean of five figures
of `benchmarks.starter` over the hand-written briefs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.machine import describe, table
from benchmarks.starter import Row, Spec, ask_all, brief_of, complete, foreign, layout_problems, read_briefs
from deploy.suite import ROOT, running
from ml_text.corpus.house import adherence
from shared.design import score

RECORDS = ROOT / "examples" / "house_style.jsonl"
HELD_OUT = ROOT / "examples" / "house_style_heldout.jsonl"
RULES = ("palette", "fonts", "layout", "headline", "all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first N held-out records and briefs")
    args, trainer_options = parser.parse_known_args()
    held_out = read_jsonl(HELD_OUT)[: args.limit]
    briefs = read_briefs()[: args.limit]
    print(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shuffle(RECORDS, folder / "shuffled.jsonl")
        train(folder, RECORDS, "house", trainer_options)
        train(folder, folder / "shuffled.jsonl", "shuffled", trainer_options)
        with running(folder) as suite, suite.client() as client:
            rows = [judge(client, model, held_out, briefs) for model in ("starter", "house", "shuffled")]
    print(table(["model", *(f"{rule} %" for rule in RULES), "general score"], rows))


def read_jsonl(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def shuffle(source: Path, target: Path) -> None:
    """The same briefs and the same answers, put together by chance."""
    rows = read_jsonl(source)
    answers = [row["response"] for row in rows]
    random.Random(0).shuffle(answers)
    pairs = ({**row, "response": answer} for row, answer in zip(rows, answers, strict=True))
    target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in pairs))


def train(folder: Path, dataset: Path, name: str, options: Sequence[str]) -> None:
    """The project's own command, with its defaults unless `options` say otherwise."""
    command = [
        sys.executable,
        "-m",
        "ml_text.train",
        "--model",
        "starter",
        "--use-lora",
        "--dataset",
        str(dataset),
        "--name",
        name,
    ]
    environment = {**os.environ, "DATA_DIR": str(folder / "data")}
    subprocess.run([*command, *options], check=True, cwd=ROOT, env=environment)


def judge(client: httpx.Client, model: str, held_out: Sequence[Row], briefs: Sequence[Row]) -> list[object]:
    kept = [
        adherence(spec, brief_of(row))
        for row, spec in zip(held_out, ask_all(client, held_out, model), strict=True)
        if spec
    ]
    adhering = [round(100 * sum(one[rule] for one in kept) / len(held_out), 1) for rule in RULES]
    return [model, *adhering, general_score(briefs, ask_all(client, briefs, model))]


def general_score(rows: Sequence[Row], specs: Sequence[Spec | None]) -> float:
    """0 to 100: validity, contrast, topic, no foreign figures and completeness, in equal parts."""
    points = 0
    for row, spec in zip(rows, specs, strict=True):
        if spec is not None:
            brief = brief_of(row)
            points += not layout_problems(spec, brief)
            points += score.body_contrast(spec) >= score.BODY_CONTRAST
            points += score.on_topic(spec, row["words"], row["names"])
            points += not foreign(spec, brief)
            points += complete(row, spec)
    return round(100 * points / (5 * len(rows)), 1)


if __name__ == "__main__":
    main()
