"""Packed rows teach exactly what separate samples teach, for every architecture that is served."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ml_text import catalog
from shared.training.packing import IGNORED, Rows, pack
from shared.training.samples import Sample


def samples(seed: int, sizes: list[int], vocab: int = 64) -> list[Sample]:
    chance = np.random.default_rng(seed)
    return [Sample(chance.integers(5, vocab, size), chance.random(size) < 0.6) for size in sizes]


def loss(model, rows: Rows, index: np.ndarray) -> float:
    batch = rows.batch(index)
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    return F.cross_entropy(logits.flatten(0, 1), batch["targets"].flatten(), reduction="sum").item()


@pytest.mark.parametrize("family", [name for name, row in catalog.FAMILIES.items() if row.kind != "encoder-decoder"])
def test_packed_samples_do_not_see_each_other(family: str):
    """Sliding windows included: two of the samples are longer than the tiny models' 24 tokens."""
    torch.manual_seed(0)
    model = catalog.build(family, vocab_size=64).train(False)
    for parameter in model.parameters():  # far from the small random start, so that a leak shows
        parameter.data.mul_(3)
    apart = samples(1, [30, 11, 7, 40, 5, 3])
    together = pack(apart, 96)
    assert len(together) == 1
    alone = [pack([sample], len(sample.ids)) for sample in apart]
    with torch.no_grad():
        separate = sum(loss(model, rows, np.arange(1)) for rows in alone)
        packed = loss(model, together, np.arange(1))
        twice = loss(model, Rows(*(np.repeat(part, 2, 0) for part in vars(together).values())), np.arange(2))
    assert packed == pytest.approx(separate, rel=1e-4)
    assert twice == pytest.approx(2 * separate, rel=1e-4)


def test_the_leak_test_can_fail():
    """With positions that run through, samples do see each other, and the loss says so."""
    torch.manual_seed(0)
    model = catalog.build("llama", vocab_size=64).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3)
    together = pack(samples(1, [30, 11, 7, 40, 5, 3]), 96)
    leaking = Rows(together.ids, together.targets, np.arange(96)[None], together.filled)
    with torch.no_grad():
        assert abs(loss(model, together, np.arange(1)) - loss(model, leaking, np.arange(1))) > 1


def test_every_sample_is_packed_once_and_rows_are_full():
    given = samples(2, [int(size) for size in np.random.default_rng(3).integers(2, 60, 500)])
    rows = pack(given, 64)
    found = []
    for row in range(len(rows)):
        starts = np.flatnonzero(rows.positions[row] == 0)
        found += [tuple(part.tolist()) for part in np.split(rows.ids[row], starts[1:])]
    for sample in given:
        found.remove(tuple(sample.ids.tolist()))
    assert not any(any(rest) for rest in found), "only padding is left"
    assert sum(len(sample.ids) for sample in given) / rows.ids.size > 0.95


def test_targets_are_the_next_learnt_token():
    sample = Sample(np.array([7, 8, 9, 10]), np.array([True, False, True, True]))
    rows = pack([sample, sample], 9)
    assert rows.ids.tolist() == [[7, 8, 9, 10, 7, 8, 9, 10, 0]]
    one = [IGNORED, 9, 10, IGNORED]  # nothing is learnt across the border, nor a sample's first token
    assert rows.targets.tolist() == [[*one, *one, IGNORED]]
    assert rows.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 0]]
    assert rows.loss_tokens(np.arange(1)) == 4
