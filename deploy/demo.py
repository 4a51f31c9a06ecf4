"""`make demo`: the hand-written briefs become designs three times, on one HTML sheet, through the gateway.

1. by the starter, in the in-house text service;
2. by a LoRA that is trained on examples/house_style.jsonl meanwhile, answering by name without a restart;
3. by OpenAI's side of the adapter, against a local fake of OpenAI's API. Only MODEL_PROVIDER differs.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.sheet import write_sheet
from deploy.suite import ROOT, free_ports, running

BRIEFS = ROOT / "benchmarks" / "briefs.jsonl"
RECORDS = "examples/house_style.jsonl"
ADAPTER = "ft:starter:house_style"
FAKE_MODEL = "gpt-4o-mini"
AT_ONCE = 4
TRIES = 3
"""How often a brief is posted before its place on the sheet stays empty."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="only the first N briefs")
    parser.add_argument("--out", type=Path, default=ROOT / "demo")
    args = parser.parse_args()
    rows = [json.loads(line) for line in BRIEFS.read_text().splitlines()][: args.limit]
    args.out.mkdir(parents=True, exist_ok=True)
    with running(args.out / "custom") as suite, suite.client() as client:
        starter = ask_all(client, rows, None, "starter")
        say(f"training {ADAPTER} on {RECORDS}; the gateway keeps running")
        train(args.out / "custom" / "data")
        house = ask_all(client, rows, ADAPTER, ADAPTER)
    with fake_openai() as url:
        environment = {
            "MODEL_PROVIDER": "openai",
            "OPENAI_API_KEY": "sk-local",
            "OPENAI_BASE_URL": url,
            "MODEL_TEXT": FAKE_MODEL,
        }
        with running(args.out / "openai", **environment) as suite, suite.client() as client:
            openai = ask_all(client, rows, None, "openai")
    same_shape([*starter, *house, *openai])
    columns = [("starter", starter), (ADAPTER, house), ("MODEL_PROVIDER=openai (a local fake)", openai)]
    sheet = args.out / "designs.html"
    sheet.write_text(
        write_sheet(
            "Briefs and designs", [(title, rows, [a and a["design"] for a in answers]) for title, answers in columns]
        )
    )
    for title, answers in columns:
        say(f"{title}: {sum(answer is not None for answer in answers)} of {len(rows)} briefs became designs")
    say(f"open {sheet}")
    if any(answer is None for _, answers in columns for answer in answers):
        sys.exit(1)


def ask_all(
    client: httpx.Client, rows: Sequence[Mapping[str, Any]], model: str | None, title: str
) -> list[dict[str, Any] | None]:
    """The gateway's answer for each brief, in order; None where it could not be had."""
    began = time.monotonic()
    answers: list[dict[str, Any] | None] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(lambda row: ask(client, row, model), rows):
            answers.append(answer)
            say(f"{title}: {len(answers)} of {len(rows)} briefs", end="\r")
    say(f"{title}: {len(answers)} briefs in {time.monotonic() - began:.0f} s   ")
    return answers


def ask(client: httpx.Client, row: Mapping[str, Any], model: str | None) -> dict[str, Any] | None:
    body = {name: row[name] for name in ("prompt", "platform", "format")} | ({"model": model} if model else {})
    for _ in range(TRIES):
        answer = client.post("/api/v1/designs", json=body)
        if answer.status_code != 502:
            return answer.raise_for_status().json()
        say(f"asked again: {answer.json()['error']['message']} <- {row['prompt'][:50]}")
    return None


def train(data_dir: Path) -> None:
    command = [sys.executable, "-m", "ml_text.train", "--model", "starter", "--use-lora", "--dataset", RECORDS]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "DATA_DIR": str(data_dir)})


@contextmanager
def fake_openai() -> Iterator[str]:
    """The base URL of tests/fakes/openai_server.py, a process of its own in OpenAI's shapes."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "tests/fakes/openai_server.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(10)


def same_shape(answers: Sequence[Mapping[str, Any] | None]) -> None:
    """RuntimeError unless all answers have the same keys: what a front end relies on when the provider changes."""
    shapes = {tuple(answer) for answer in answers if answer}
    if len(shapes) > 1:
        raise RuntimeError(f"the answers' shapes differ: {shapes}")


def say(text: str, end: str = "\n") -> None:
    print(f"demo    | {text}", end=end if sys.stdout.isatty() or end == "\n" else "\n", flush=True)


if __name__ == "__main__":
    main()
