"""METRICS: name -> what an answer is measured by. A row here is the command line's choice and the API's."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.design.check import check
from shared.design.score import overall
from shared.errors import UpstreamInvalid
from shared.evaluation import code
from shared.evaluation.examples import Example
from shared.evaluation.rouge import rouge

Scores = dict[str, float]
Answered = tuple[Example, Sequence[str]]
"""An example and the answers to it; all but pass@k look at the first."""


@dataclass(frozen=True)
class Metric:
    about: str
    applies: Callable[[Example], bool]
    one: Callable[[Example, str], Scores] | None
    """The scores of one answer; None where the model itself is asked (perplexity)."""
    overall: Callable[[Sequence[Answered], Sequence[Sequence[Scores]]], Scores] | None = None
    """Over all answers and their scores; None is the mean of the first answers' scores."""
    names: tuple[str, ...] = ()
    """What `one` measures, where the mean is taken."""


def _has_reference(example: Example) -> bool:
    return example.reference is not None and example.brief is None


def sentence_bleu(example: Example, answer: str) -> Scores:
    import sacrebleu  # a third of a second, for those who ask for it

    return {"bleu": sacrebleu.sentence_bleu(answer, [example.reference or ""]).score}


def corpus_bleu(answered: Sequence[Answered], scores: Sequence[Sequence[Scores]]) -> Scores:
    """0 to 100 over the corpus, which is not the mean over sentences (Post 2018, https://aclanthology.org/W18-6319/)."""
    import sacrebleu

    said = [answers[0] for _, answers in answered]
    return {"bleu": sacrebleu.corpus_bleu(said, [[example.reference or "" for example, _ in answered]]).score}


def exact_match(example: Example, answer: str) -> Scores:
    """1 when nothing but the spelling of blanks and characters (Unicode NFC) differs."""

    def plain(text: str) -> str:
        return " ".join(unicodedata.normalize("NFC", text).split())

    return {"exact_match": float(plain(answer) == plain(example.reference or ""))}


def _rouge(example: Example, answer: str) -> Scores:
    return rouge(answer, example.reference or "")


def design(example: Example, answer: str) -> Scores:
    """`valid`: usable as it is. `design`: 0 to 1 over facts shown, contrast, and copy that is not the brief again."""
    assert example.brief is not None
    try:
        check(answer, example.brief)
        valid = 1.0
    except UpstreamInvalid:
        valid = 0.0
    return {"valid": valid, "design": overall(answer, example.brief)}


def passes(example: Example, answer: str) -> Scores:
    assert example.problem is not None
    return {"passed": float(code.judge(example.problem, answer).status == "passed")}


def pass_at(answered: Sequence[Answered], scores: Sequence[Sequence[Scores]]) -> Scores:
    """pass@1, @10, @100 as far as there were answers, and @n."""
    counts = [(len(each), int(sum(score["passed"] for score in each))) for each in scores]
    fewest = min(tried for tried, _ in counts)
    return {f"pass@{k}": code.mean_pass(counts, k) for k in sorted({1, 10, 100, fewest}) if k <= fewest}


METRICS: Mapping[str, Metric] = {
    "perplexity": Metric("of plain texts, per token of the model's own", lambda e: e.text is not None, None),
    "bleu": Metric("n-grams shared with the reference, 0 to 100", _has_reference, sentence_bleu, corpus_bleu),
    "rouge": Metric("ROUGE-1, -2 and -L, F1", _has_reference, _rouge, names=("rouge1", "rouge2", "rougeL")),
    "exact_match": Metric("the reference to the letter", _has_reference, exact_match, names=("exact_match",)),
    "design": Metric(
        "usable designs, and how good they are", lambda e: e.brief is not None, design, names=("valid", "design")
    ),
    "pass": Metric("pass@k of code that is run against its tests", lambda e: e.problem is not None, passes, pass_at),
}


def mean(scores: Sequence[Sequence[Scores]], names: Sequence[str]) -> Scores:
    """Of the first answers' scores."""
    return {name: sum(each[0][name] for each in scores) / len(scores) for name in names}
