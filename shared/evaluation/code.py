"""pass@k: generated programs are run against their tests (Chen et al. 2021, https://arxiv.org/abs/2107.03374)."""

import math
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidRequest
from shared.sandbox import Limits, Verdict, run

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
"""Where the paper cuts a completion of a bare prompt (section 3.2): what follows the function is no answer."""
FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
AT_ONCE = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
"""Programs that run side by side: more would take each other's time, and fail for it."""
FIELDS = ("task_id", "prompt", "entry_point", "test")
ASKED = "Complete this Python function. Answer with the whole function in one code block and nothing else."


@dataclass(frozen=True)
class Problem:
    """A row of HumanEval's file: the function's head, and `check(candidate)` in `test`."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""


def read_problem(row: dict[str, Any]) -> Problem:
    """Raises InvalidRequest naming the field."""
    for name in FIELDS:
        if not isinstance(row.get(name), str) or not row[name]:
            raise InvalidRequest(f"{name} is missing, or no text", param="dataset")
    if not row["entry_point"].isidentifier():
        raise InvalidRequest("entry_point is no name of a function", param="dataset")
    return Problem(**{name: row[name] for name in FIELDS}, canonical_solution=str(row.get("canonical_solution") or ""))


def program(problem: Problem, answer: str) -> str:
    """The program that ends well when `answer` is right: a body that goes on from the prompt, or a whole function."""
    fenced = FENCED.search(answer)
    code = fenced[1] if fenced else answer
    head = problem.prompt
    if re.search(rf"^\s*def\s+{problem.entry_point}\b", code, re.MULTILINE):
        head = head.rpartition(f"def {problem.entry_point}")[0]  # imports and what the function may use
    else:
        code = code[: min([len(code), *(at for stop in STOPS if (at := code.find(stop)) > 0)])]
    return f"{head}{code}\n{problem.test}\ncheck({problem.entry_point})\n"


def judge(problem: Problem, answer: str, limits: Limits = Limits()) -> Verdict:  # noqa: B008
    """Raises IsolationRefused."""
    with AT_ONCE:
        return run(program(problem, answer), limits)


def pass_at_k(tried: int, passed: int, k: int) -> float:
    """1 - C(tried - passed, k) / C(tried, k): the chance that one of `k` of the tried answers passes, unbiased."""
    if not 0 < k <= tried:
        raise ValueError(f"pass@{k} needs at least {k} answers, not {tried}")
    return 1.0 - math.prod((tried - passed - i) / (tried - i) for i in range(k))


def mean_pass(counts: Sequence[tuple[int, int]], k: int) -> float:
    """The mean of pass@k over problems, each (tried, passed)."""
    return sum(pass_at_k(tried, passed, k) for tried, passed in counts) / len(counts)
