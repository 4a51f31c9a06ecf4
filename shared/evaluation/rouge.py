"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries",
https://aclanthology.org/W04-1013/), as F1: the harmonic mean of recall (his measure) and precision.

Words are runs of letters and digits, in lower case; nothing is stemmed, and a text is one sentence.
"""

import re
from collections import Counter
from collections.abc import Sequence


def rouge(answer: str, reference: str) -> dict[str, float]:
    """rouge1, rouge2 and rougeL, 0 to 1 each."""
    said, wanted = words(answer), words(reference)
    return {
        "rouge1": n_gram_f1(said, wanted, 1),
        "rouge2": n_gram_f1(said, wanted, 2),
        "rougeL": f1(longest_common_subsequence(said, wanted), len(said), len(wanted)),
    }


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def n_gram_f1(said: Sequence[str], wanted: Sequence[str], n: int) -> float:
    """Section 2: an n-gram counts as often as both have it."""
    a, b = n_grams(said, n), n_grams(wanted, n)
    return f1((a & b).total(), a.total(), b.total())


def n_grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))


def f1(common: int, said: int, wanted: int) -> float:
    """2PR / (P + R), where P = common / said and R = common / wanted."""
    return 2 * common / (said + wanted) if common else 0.0


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Section 3: the same words in the same order, gaps allowed."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0  # the value up and to the left
        for at, other in enumerate(b, 1):
            before, row[at] = row[at], before + 1 if word == other else max(row[at], row[at - 1])
    return row[-1]
