"""Metrics against values computed by hand; HumanEval's format; reports."""

import gzip
import json
import math
from pathlib import Path

import pytest

from shared.errors import InvalidRequest, IsolationRefused
from shared.evaluation import code, compare
from shared.evaluation.compare import Answer, Wish
from shared.evaluation.examples import Example, read_file, read_rows
from shared.evaluation.page import page
from shared.evaluation.rouge import longest_common_subsequence, rouge
from shared.sandbox import run

PROBLEM = code.read_problem(
    {
        "task_id": "T/0",
        "prompt": 'import math\n\n\ndef half(x):\n    """ Half of x. """\n',
        "entry_point": "half",
        "canonical_solution": "    return x / 2\n",
        "test": "def check(candidate):\n    assert candidate(4) == 2\n    assert math.isclose(candidate(1), .5)\n",
    }
)


def test_rouge_by_hand() -> None:
    # "police killed the gunman" / "police kill the gunman" is Lin's own example for ROUGE-L
    scores = rouge("Police kill the gunman", "police killed the gunman.")
    assert scores == {"rouge1": 0.75, "rouge2": pytest.approx(1 / 3), "rougeL": 0.75}
    scores = rouge("the gunman kill police", "police killed the gunman")
    assert scores["rougeL"] == 0.5 and scores["rouge1"] == 0.75
    # 3 common of 5 said and 6 wanted: 2 * 3 / 11; a word counts as often as both have it
    assert rouge("the the the cat sat", "the cat is on the mat")["rouge1"] == pytest.approx(6 / 11)
    assert rouge("", "something") == rouge("something", "") == {"rouge1": 0, "rouge2": 0, "rougeL": 0}
    assert longest_common_subsequence("abcbdab", "bdcaba") == 4


def test_pass_at_k_is_the_chance_over_all_subsets() -> None:
    assert code.pass_at_k(5, 0, 3) == 0 and code.pass_at_k(5, 5, 1) == 1 and code.pass_at_k(4, 2, 3) == 1
    for tried, passed, k in [(10, 3, 1), (10, 3, 5), (20, 1, 10)]:
        expected = 1 - math.comb(tried - passed, k) / math.comb(tried, k)
        assert code.pass_at_k(tried, passed, k) == pytest.approx(expected)
    assert code.mean_pass([(2, 1), (2, 0)], 1) == 0.25
    with pytest.raises(ValueError, match="pass@3 needs"):
        code.pass_at_k(2, 1, 3)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("    return x / 2\n", True),
        ("    return x / 2\n\ndef other():\n    broken(", True),
        ("```python\nimport math\ndef half(x):\n    return math.ldexp(x, -1)\n```\nThat halves it.", True),
        ("def half(x):\n    return x / 2", True),
        ("    return x\n", False),
        ("    import os; os._exit(0)\n", False),
        ("", False),
    ],
)
def test_an_answer_is_run_against_the_tests(answer: str, right: bool) -> None:
    try:
        run("pass")
    except IsolationRefused as refused:
        pytest.skip(str(refused))
    assert (code.judge(PROBLEM, answer).status == "passed") is right


def test_a_bad_problem_names_its_field() -> None:
    with pytest.raises(InvalidRequest, match="entry_point"):
        code.read_problem({"task_id": "1", "prompt": "x", "test": "y"})
    with pytest.raises(InvalidRequest, match="no name"):
        code.read_problem({"task_id": "1", "prompt": "x", "test": "y", "entry_point": "a;b"})


class Parrot:
    """Answers what it was made with; foretells each character at one nat."""

    def __init__(self, name: str, *answers: str) -> None:
        self.name, self.answers = name, answers

    async def answer(self, example: Example, wish: Wish, seed: int) -> Answer:
        return Answer(self.answers[seed % len(self.answers)], tokens=2, cost_usd=0.5)

    async def foretell(self, text: str) -> tuple[float, int]:
        return float(len(text)), len(text)


async def test_two_sides_in_one_report() -> None:
    rows = [{"prompt": "say", "completion": "the cat sat on the mat"}, {"text": "abc"}]
    examples = read_rows(rows)
    metrics = compare.choose(examples, [])
    sides = [Parrot("right", "the cat sat on the mat"), Parrot("</td>", "a dog")]
    report = await compare.compare(sides, examples, metrics, Wish())
    right, wrong = report["sides"]
    assert right["scores"]["bleu"] == pytest.approx(100) and wrong["scores"]["rouge1"] == 0
    assert right["scores"]["perplexity"] == pytest.approx(math.e, abs=1e-4) and right["cost_usd"] == 0.5
    assert report["difference"]["exact_match"] == -1 and report["samples"][0]["reference"] == rows[0]["completion"]
    shown = page(report)
    assert "&lt;/td&gt;" in shown and "</td>" not in shown and 'class="worse">-1' in shown


async def test_pass_at_k_of_answers_that_were_run() -> None:
    examples = [Example("T/0", [{"role": "user", "content": "?"}], problem=PROBLEM)]
    metrics = compare.choose(examples, ["pass"])
    sides = [Parrot("half right", "    return x / 2\n", "    return x\n")]
    try:
        report = await compare.compare(sides, examples, metrics, Wish(samples=4))
    except IsolationRefused as refused:
        pytest.skip(str(refused))
    assert report["sides"][0]["scores"] == {"pass@1": 0.5, "pass@4": 1.0}
    assert report["samples"][0]["sides"][0]["scores"] == {"passed": 0.5}


def test_rows_of_every_kind_and_bad_ones(tmp_path: Path) -> None:
    brief = {"prompt": "Cafe Blue, 20% off", "platform": "x", "format": "square"}
    rows = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, brief]
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    chat, design = read_file(packed)[0]
    assert chat.reference == "a" and design.brief and design.response_format
    (tmp_path / "rows.csv").write_text("input,target\none,two\n")
    assert read_file(tmp_path / "rows.csv")[0][0].reference == "two"
    for bad, what in [({"a": 1}, "neither"), ([], "no JSON object"), ({"messages": []}, "at least one")]:
        with pytest.raises(InvalidRequest, match=f"row 2: .*{what}"):
            read_rows([{"text": "fine"}, bad])
    (tmp_path / "broken.gz").write_bytes(packed.read_bytes()[:40])
    with pytest.raises(InvalidRequest, match=r"broken\.gz cannot be read"):
        read_file(tmp_path / "broken.gz")
    with pytest.raises(InvalidRequest, match="No such file"):
        read_file(tmp_path / "nowhere.jsonl")
