"""Stands for `python -m ml_fake.train`: steps, events, checkpoints, SIGTERM and the token as the real ones have them.

Each process writes a line into the folder's `lives` when it begins and after each step: a test can tell who ran when.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from shared.jobs import fence

parser = argparse.ArgumentParser()
parser.add_argument("method")
for name in ("--name", "--output-dir", "--attempt", "--mode"):
    parser.add_argument(name)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--step-s", type=float, default=0.05)
parser.add_argument("--resume", action=argparse.BooleanOptionalAction)
parser.add_argument("--dataset", nargs="+")
args = parser.parse_args()
folder, stopped = Path(args.output_dir), []


def life(step: int) -> None:
    with (folder / "lives").open("a") as file:
        file.write(f"{os.getpid()} {step} {time.time()}\n")


def event(**fields: object) -> None:
    fence.check(folder, args.attempt)
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"type": "metrics", "total_steps": args.steps, "time": time.time(), **fields}) + "\n")


def save(step: int) -> None:
    fence.check(folder, args.attempt)
    (folder / "checkpoints").mkdir(exist_ok=True)
    draft = folder / "checkpoints" / f".{step:08}"
    draft.write_text(str(step))
    draft.rename(folder / "checkpoints" / f"{step:08}.pt")


if args.mode == "bad input":
    print(f"--dataset: {args.dataset[0]}, row 3: no prompt", file=sys.stderr)
    sys.exit(2)
if args.mode == "boom":
    raise RuntimeError("boom: the last words")
signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number) if args.mode != "deaf" else None)
step = int(sorted((folder / "checkpoints").glob("[0-9]*.pt"))[-1].stem) if args.resume else 0
life(step)
while step < args.steps:
    time.sleep(args.step_s)
    step += 1
    life(step)
    event(step=step, loss=1 / step, seconds_left=1)
    if step % 5 == 0 or stopped:
        save(step)
    if stopped:
        sys.exit(128 + stopped[0])
fence.check(folder, args.attempt)
(folder / "result.json").write_text(json.dumps({"model": args.name, "metrics": {"step": step, "tokens": 7 * step}}))
