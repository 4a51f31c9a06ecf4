"""Word and character error rates."""

from collections.abc import Sequence


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions between the two (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, found in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != found))
    return row[-1]


def error_rate(said: Sequence[Sequence[str]], heard: Sequence[Sequence[str]]) -> float:
    """Edits per word (or letter) that was said, over all together; above 1 when much is invented."""
    wanted = sum(map(len, said))
    return sum(edits(one, other) for one, other in zip(said, heard, strict=True)) / max(1, wanted)
