"""Metrics against values computed by hand; HumanEval's format; reports."""

import math

import pytest

from shared.errors import InvalidRequest, IsolationRefused
from shared.evaluation import code
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
