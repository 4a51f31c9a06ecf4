"""python -m ml_text.evaluate --model NAME [--against NAME] --dataset FILE [options]: scores, samples, a report.

What is measured follows from the rows: references give BLEU, ROUGE and exact match, plain texts perplexity, briefs
designs, HumanEval's problems pass@k. Exit status: 0 done, 2 bad arguments or data, or code that cannot be isolated.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ml_text.engine import Engine, Request
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from shared.command import parse
from shared.errors import ServiceError
from shared.evaluation import compare
from shared.evaluation.compare import Answer, Wish
from shared.evaluation.examples import Example, read_file
from shared.evaluation.metrics import METRICS
from shared.evaluation.page import page


class Args(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str = Field("starter", description="starter, a published or short name, a hub repo, a folder")
    against: str | None = Field(None, description="a second model, side by side with the first")
    dataset: Path = Field(description="JSONL (also .gz), JSON or CSV; or a file in HumanEval's format")
    metrics: list[str] = Field([], description=f"some of {', '.join(METRICS)}; default: all that the rows allow")
    limit: int | None = Field(None, ge=1, description="rows, from the first; default: all")
    samples: int = Field(1, ge=1, description="answers to each problem of code, for pass@k")
    max_tokens: int = Field(512, ge=1, description="of an answer")
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the likeliest token")
    raw: bool = Field(False, description="code: go on from the bare prompt, for models that were never taught to chat")
    output: Path | None = Field(None, description="write the report here, as JSON")
    page: Path | None = Field(None, description="write the report here, as HTML")


class Local:
    """A model in this process, through the engine that serves it."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    async def answer(self, example: Example, wish: Wish, seed: int) -> Answer:
        asked: dict[str, Any] = {"messages": example.messages}
        if wish.raw and example.problem:
            asked = {"prompt": example.problem.prompt}
        request = Request(
            model=self.name,
            max_tokens=wish.max_tokens,
            sampling={"temperature": wish.temperature, "seed": seed},
            response_format=example.response_format,
            stream=False,
            **asked,
        )
        async with self.engine.open(request) as answer:
            said = "".join([delta.text async for delta in answer])
            return Answer(said, answer.completion_tokens)

    async def foretell(self, text: str) -> tuple[float, int]:
        request = Request(model=self.name, prompt=text, max_tokens=0, logprobs=0, score_prompt=True, stream=False)
        async with self.engine.open(request) as answer:
            async for _ in answer:
                pass
            costs = [-found.logprob for found in answer.prompt_logprobs if found.logprob is not None]
            return sum(costs), len(costs)


async def evaluate(args: Args, settings: TextSettings) -> dict[str, Any]:
    """The report. Raises ServiceErrors: bad data, no such model, code that cannot be isolated."""
    examples, sha256 = read_file(args.dataset, args.limit)
    metrics = compare.choose(examples, args.metrics)
    sources = Sources(settings)
    names = [sources.fetch(name).name for name in [args.model, *([args.against] if args.against else [])]]
    engine = Engine(settings, sources, names[0])
    wish = Wish(args.samples, args.max_tokens, args.temperature, args.raw)
    try:
        sides = [Local(engine, name) for name in names]
        report = await compare.compare(sides, examples, metrics, wish, at_once=8, progress=_progress)
    finally:
        await engine.close()
    return {"dataset": {"name": args.dataset.name, "sha256": sha256}, "wish": vars(wish), **report}


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    args = parse(Args, argv, "python -m ml_text.evaluate", __doc__ or "")
    try:
        report = asyncio.run(evaluate(args, TextSettings()))  # pyright: ignore[reportCallIssue]
    except ServiceError as error:
        option = f"--{error.param.replace('_', '-')}: " if error.param else ""
        print(f"{option}{error}", file=sys.stderr)
        return 2
    if args.output:
        args.output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if args.page:
        args.page.write_text(page(report))
    for side in report["sides"]:
        print(json.dumps({name: value for name, value in side.items() if value is not None}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
