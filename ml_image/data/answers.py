"""How many attributes are right, by what the judge says."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from ml_image.data.attributes import ATTRIBUTES, Attribute


def slices() -> Iterator[tuple[Attribute, slice]]:
    """Each attribute, and where its values are among the answers."""
    start = 0
    for attribute in ATTRIBUTES:
        yield attribute, slice(start, start + len(attribute.values))
        start += len(attribute.values)


def correct(said: Tensor, wanted: Sequence[Mapping[str, tuple[str, ...]]]) -> dict[str, float]:
    """`said` (N, A). Share of the wanted values that are right, by attribute and under `all`.

    A pair counts as two: each color that is among the two likeliest is right.
    """
    right: dict[str, list[float]] = {}
    for attribute, part in slices():
        for row, true in enumerate(wanted):
            if attribute.key not in true:
                continue
            values = true[attribute.key]
            likeliest = said[row, part].topk(len(values)).indices.tolist()
            chosen = {attribute.values[place] for place in likeliest}
            right.setdefault(attribute.key, []).extend(float(value in chosen) for value in values)
    every = [value for values in right.values() for value in values]
    return {"all": round(sum(every) / max(1, len(every)), 4)} | {
        key: round(sum(values) / len(values), 4) for key, values in right.items()
    }
