"""What the starter makes of the hand-written briefs, beside a template without a model and the model untrained.

    python -m benchmarks.starter [--limit N] [--moods N] [--sheet FILE.html]

benchmarks/BRIEFS.md has the briefs' format and the rules of scoring.
"""

import argparse
import colorsys
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchmarks.machine import describe, table
from deploy.sheet import write_sheet
from deploy.suite import ROOT, running
from shared import registry
from shared.design import Brief, find_facts, score
from shared.design.check import SPEC, problems

BRIEFS = Path(__file__).with_name("briefs.jsonl")
STARTER = ROOT / "ml_text" / "starter"
MOODS = {
    "loud": "make it loud and bold",
    "quiet": "quiet and minimal",
    "pastel": "soft pastel colours",
    "dark": "dark and moody",
}
Spec = Mapping[str, Any]
Row = Mapping[str, Any]
AT_ONCE = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first N briefs")
    parser.add_argument("--moods", type=int, default=12, help="how many briefs are asked in all four moods")
    parser.add_argument("--sheet", type=Path, help="also draw the starter's designs into this HTML file")
    parser.add_argument("--model", default="starter")
    args = parser.parse_args()
    rows = read_briefs()[: args.limit]
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        publish_untrained(Path(folder) / "data")
        with running(Path(folder)) as suite, suite.client() as client:
            started = time.perf_counter()
            made = ask_all(client, rows, args.model)
            seconds = (time.perf_counter() - started) / len(rows)
            untrained = ask_all(client, rows, "untrained")
            moods = ask_moods(client, [row for row in rows if not row["mood"]][: args.moods], args.model)
    columns = {args.model: made, "template": [template(row) for row in rows], "untrained": untrained}
    scores = {name: judge(rows, specs) for name, specs in columns.items()}
    print(
        table(
            ["figure", *scores],
            [[figure, *(s[figure] for s in scores.values())] for figure in next(iter(scores.values()))],
        )
    )
    print(f"{seconds:.1f} s a design, {AT_ONCE} at once")
    print(
        table(
            ["mood", "right palette", "palettes unlike the other moods'", "layouts unlike the other moods'"],
            judge_moods(moods),
        )
    )
    if args.sheet:
        args.sheet.write_text(write_sheet("The starter", [(args.model, rows, made)]))


def read_briefs() -> list[Row]:
    return [json.loads(line) for line in BRIEFS.read_text().splitlines()]


def brief_of(row: Row) -> Brief:
    return Brief(prompt=row["prompt"], platform=row["platform"], format=row["format"])


def publish_untrained(data_dir: Path) -> None:
    """The starter's architecture and tokenizer with random weights, under the name `untrained`."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(STARTER)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(STARTER).save_pretrained(folder)
        registry.publish(data_dir, "untrained", Path(folder), {"service": "text"})


def ask_all(client: httpx.Client, rows: Sequence[Row], model: str) -> list[Spec | None]:
    """A design per brief, None where the answer was an error; through the gateway, a few at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda row: ask(client, row, model), rows))


def ask(client: httpx.Client, row: Row, model: str) -> Spec | None:
    body = {"prompt": row["prompt"], "platform": row["platform"], "format": row["format"], "model": model}
    answer = client.post("/api/v1/designs", json=body)
    if answer.status_code == 502:
        print(f"{model}: {answer.json()['error']['message']} <- {row['prompt'][:60]}")
        return None
    return answer.raise_for_status().json()["design"]


def ask_moods(client: httpx.Client, rows: Sequence[Row], model: str) -> dict[str, list[tuple[Row, Spec | None]]]:
    asked = {mood: [{**row, "prompt": f"{row['prompt']}. {words}"} for row in rows] for mood, words in MOODS.items()}
    return {mood: list(zip(rows, ask_all(client, rows, model), strict=True)) for mood, rows in asked.items()}


def template(row: Row) -> Spec:
    """What a form would do: the brief's own words in fixed places, in one palette."""
    brief = brief_of(row)
    facts = find_facts(row["prompt"])
    size = 20 * (min(brief.width, brief.height) // 540)
    said = [row["prompt"].split(",")[0][:24], *facts.required[:4], "Find out more"]
    look = {"color": "#ffffff", "fontFamily": "Inter"}
    elements = [
        {"type": "text", "text": text, "x": 80, "y": 60 + 3 * size * n, "fontSize": size + 20 * (n == 0), **look}
        for n, text in enumerate(said)
    ]
    return {"background_color": "#1a1a2e", "elements": elements}


def judge(rows: Sequence[Row], specs: Sequence[Spec | None]) -> dict[str, str]:
    """The figures of one column."""
    every = [(row, brief_of(row), spec) for row, spec in zip(rows, specs, strict=True)]
    made = [(row, brief, spec) for row, brief, spec in every if spec is not None]

    def share(holds: Callable[[Row, Brief, Spec], bool], of: int = len(rows)) -> str:
        return f"{100 * sum(holds(*item) for item in made) / of:.0f} %"

    copied = [score.copied(spec, row["prompt"]) for row, _, spec in made]
    return {
        "answered": f"{len(made)} of {len(rows)}",
        "valid, inside, no overlap": share(lambda row, brief, spec: not layout_problems(spec, brief)),
        "body contrast >= 4.5": share(lambda row, brief, spec: score.body_contrast(spec) >= score.BODY_CONTRAST),
        "on the asked topic": share(lambda row, brief, spec: score.on_topic(spec, row["words"], row["names"])),
        "no figure that is not the brief's": share(lambda row, brief, spec: not foreign(spec, brief)),
        "all names, prices, percentages, dates": share(lambda row, brief, spec: complete(row, spec)),
        "longest echo of the brief (words)": str(
            max((score.echo(spec, row["prompt"]) for row, _, spec in made), default=0)
        ),
        "copy that is the brief's": f"{100 * sum(a for a, _ in copied) / max(1, sum(b for _, b in copied)):.0f} %",
        "different headlines": str(len({score.headline(spec)["text"].lower() for *_, spec in made})),
        "layout classes": str(len({score.layout_class(spec, brief.width, brief.height) for _, brief, spec in made})),
        "palettes": str(len({score.palette(spec) for *_, spec in made})),
    }


def layout_problems(spec: Spec, brief: Brief) -> list[str]:
    return [problem for problem in problems(SPEC.validate_python(spec), brief) if problem.startswith("element")]


def foreign(spec: Spec, brief: Brief) -> list[str]:
    return [problem for problem in problems(SPEC.validate_python(spec), brief) if "not in the brief" in problem]


def complete(row: Row, spec: Spec) -> bool:
    """All hand-marked names, and those hand-marked figures that the rules require (prices, percentages, dates)."""
    required = find_facts(row["prompt"]).required
    figures = [figure for figure in row["figures"] if any(figure in fact for fact in required)]
    return all(score.says(spec, fact) for fact in (*row["names"], *figures))


def judge_moods(moods: Mapping[str, list[tuple[Row, Spec | None]]]) -> list[list[str]]:
    lines: list[list[str]] = []
    for mood, answers in moods.items():
        made = [(number, brief_of(row), spec) for number, (row, spec) in enumerate(answers) if spec is not None]
        others = [answers for name, answers in moods.items() if name != mood]
        palettes = layouts = 0
        for number, brief, spec in made:
            rest = [answers[number][1] for answers in others]
            palettes += all(score.palette(spec) != score.palette(other) for other in rest if other)
            mine = score.layout_class(spec, brief.width, brief.height)
            layouts += sum(mine != score.layout_class(other, brief.width, brief.height) for other in rest if other) >= 2
        right = sum(fits(mood, score.palette(spec)) for *_, spec in made)
        lines.append([mood, *(f"{n} of {len(answers)}" for n in (right, palettes, layouts))])
    return lines


def fits(mood: str, palette: Sequence[str]) -> bool:
    """Whether a palette looks like the mood, by the rules of BRIEFS.md."""
    light = score.luminance(palette[0])
    saturations = [colorsys.rgb_to_hsv(*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)))[1] for color in palette]
    return {
        "dark": light < 0.1,
        "pastel": light > 0.6 and 0.05 <= saturations[0] <= 0.7,
        "loud": max(saturations) >= 0.6,
        "quiet": saturations[0] <= 0.25,
    }[mood]


if __name__ == "__main__":
    main()
