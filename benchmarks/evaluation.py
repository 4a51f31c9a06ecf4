"""The sandbox held to HumanEval and to hostile programs, and how soon a published model answers.

python -m benchmarks.evaluation [HumanEval.jsonl.gz] [--only publish]

HumanEval does not ship with the project: without its file the rows of its problems are left out, and said so.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.machine import describe
from shared.evaluation.code import Problem, judge
from shared.evaluation.examples import read_file
from shared.sandbox import Limits, run

PROBES = {
    "fork bomb": "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
    "thread bomb": "import threading\nwhile True: threading.Thread(target=print).start()",
    "10 GB": "bytearray(10 << 30)",
    "endless loop": "while True: pass",
    "endless output": "while True: print('x' * 10000)",
    "socket": "import socket; socket.socket()",
    "write outside": "open('/tmp/written', 'w').write('x')",
    "fill its folder": "for i in range(999): open(str(i), 'wb').write(bytes(1 << 20))",
    "read /etc/shadow": "open('/etc/shadow').read()",
    "read the data folder": "import os; os.listdir({data!r})",
    "kill the parent": "import os; os.kill({pid}, 9); os.kill(os.getppid(), 9)",
    "start a program": "import os; os.execv('/bin/sh', ['sh', '-c', 'true'])",
    "shared memory": "import os; os.memfd_create('m')",
}


def mutilated(problem: Problem) -> str:
    """The canonical solution without its last `return`."""
    lines = problem.canonical_solution.split("\n")
    last = max(at for at, line in enumerate(lines) if "return" in line)
    return "\n".join(lines[:last] + lines[last + 1 :])


def passed(problems: list[Problem], answer: Callable[[Problem], str]) -> tuple[int, float]:
    """(how many pass, seconds)"""
    started = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda problem: judge(problem, answer(problem)), problems))
    return sum(verdict.status == "passed" for verdict in verdicts), time.monotonic() - started


def human_eval(path: Path) -> None:
    problems = [example.problem for example in read_file(path)[0] if example.problem]
    for name, answer in (("canonical", lambda p: p.canonical_solution), ("without the last return", mutilated)):
        right, seconds = passed(problems, answer)
        print(f"| {name} | {right} of {len(problems)} | {seconds:.1f} s |", flush=True)


def probes() -> None:
    with tempfile.TemporaryDirectory() as data:
        Path(data, "secret").write_text("x")
        for name, program in PROBES.items():
            verdict = run(program.replace("{data!r}", repr(data)).replace("{pid}", str(os.getpid())), Limits(seconds=2))
            contained = verdict.status != "passed"
            how = f"{verdict.status}: {verdict.detail[:60]}, {verdict.seconds:.1f} s"
            print(f"| {name} | {'contained' if contained else 'NOT CONTAINED'} | {how} |", flush=True)


async def publish_and_ask(rounds: int = 5) -> list[float]:
    """Seconds from the end of `publish` to the whole answer under the new name, in a service that runs already."""
    from ml_text.engine import Engine, Request
    from ml_text.settings import STARTER, TextSettings
    from ml_text.sources import Sources
    from shared import registry
    from shared.settings import SharedSettings

    with tempfile.TemporaryDirectory() as folder:
        settings = TextSettings(shared=SharedSettings(data_dir=Path(folder)))  # pyright: ignore[reportCallIssue]
        engine = Engine(settings, Sources(settings), "starter")
        await engine.load("starter")
        took: list[float] = []
        for _ in range(rounds):
            await asyncio.to_thread(registry.publish, Path(folder), "ft:starter:bench", STARTER, {"service": "text"})
            started = time.perf_counter()
            request = Request(model="ft:starter:bench", prompt="Hello", max_tokens=1, stream=False)
            async with engine.open(request) as answer:
                async for _ in answer:
                    pass
            took.append(time.perf_counter() - started)
        await engine.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", type=Path, nargs="?", help="a file in HumanEval's format")
    parser.add_argument("--only", choices=["problems", "probes", "publish"])
    asked = parser.parse_args()
    if asked.only == "problems" and asked.problems is None:
        parser.error("--only problems needs a file of problems")
    print(f"{describe()}\n\n| what | result | |\n|---|---|---|")
    if asked.problems is None:
        print("| HumanEval | not run: no file of problems was given | |")
    elif asked.only in (None, "problems"):
        human_eval(asked.problems)
    if asked.only in (None, "probes"):
        probes()
    if asked.only in (None, "publish"):
        took = asyncio.run(publish_and_ask())
        print(f"| published to answered | worst {max(took):.2f} s | {', '.join(f'{one:.2f}' for one in took)} |")


if __name__ == "__main__":
    main()
