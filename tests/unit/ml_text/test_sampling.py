"""The sampler against transformers' processors, OpenAI's penalties, and batching noise."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor, TopKLogitsWarper, TopPLogitsWarper

from ml_text.sampling import Sampler, Sampling
from shared.errors import InvalidRequest, ServiceError

VOCAB = 1000


def logits(seed: int = 0, scale: float = 2.0) -> torch.Tensor:
    return torch.randn(VOCAB, generator=torch.Generator().manual_seed(seed)) * scale


def draws(sampling: Sampling, scores: torch.Tensor, count: int, **row: Any) -> list[int]:
    sampler = Sampler(sampling, len(scores))
    return [sampler.pick(scores, row.get("prompt", []), row.get("output", []), row.get("mask")) for _ in range(count)]


def test_greedy_is_the_most_likely_token_whatever_else_is_set() -> None:
    scores = logits()
    assert draws(Sampling(temperature=0, top_k=3, top_p=0.1, seed=1), scores, 1) == [int(scores.argmax())]


def test_draws_follow_the_softmax_at_the_temperature() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0, float("-inf")])
    taken = draws(Sampling(temperature=1.5, seed=7), scores, 4_000)
    shares = np.bincount(taken, minlength=5) / len(taken)
    assert shares[4] == 0
    assert np.allclose(shares, torch.softmax(scores / 1.5, -1).numpy(), atol=0.03)


def test_draws_follow_the_softmax_across_blocks() -> None:
    scores = logits(scale=1.0)
    taken = np.bincount(draws(Sampling(seed=3), scores, 3_000), minlength=VOCAB)
    expected = torch.softmax(scores, -1).numpy() * 3_000
    chi_square = float(((taken - expected) ** 2 / expected).sum())
    assert chi_square < VOCAB + 5 * np.sqrt(2 * VOCAB)


@pytest.mark.parametrize("top_k", [1, 5, 50])
def test_top_k_keeps_what_transformers_keeps(top_k: int) -> None:
    scores = logits()
    kept = torch.isfinite(TopKLogitsWarper(top_k)(torch.zeros(1, 1, dtype=torch.long), scores[None])[0])
    taken = set(draws(Sampling(temperature=3.0, top_k=top_k, seed=1), scores, 1000))
    assert taken == set(kept.nonzero().flatten().tolist())


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9])
def test_top_p_keeps_what_transformers_keeps(top_p: float) -> None:
    scores = logits(scale=4.0)
    kept = torch.isfinite(TopPLogitsWarper(top_p)(torch.zeros(1, 1, dtype=torch.long), scores[None])[0])
    taken = set(draws(Sampling(top_p=top_p, seed=1), scores, 2_000))
    assert taken <= set(kept.nonzero().flatten().tolist())
    share = torch.softmax(scores, -1)[sorted(taken)].sum()
    assert share >= top_p - 0.05  # the rest is too rare for 2,000 draws


def test_top_p_of_a_flat_distribution_looks_past_the_first_sort() -> None:
    flat = torch.zeros(20_000)
    flat[:10_000] = 0.001
    assert max(draws(Sampling(top_p=0.25, seed=2), flat, 100)) < 10_000


def test_repetition_penalty_is_transformers_over_prompt_and_output() -> None:
    scores, prompt, output = logits(), [3, 4, 4, 900], [17, 3]
    best = int(scores.argmax())
    prompt.append(best)
    ids = torch.tensor([prompt + output])
    expected = RepetitionPenaltyLogitsProcessor(1.7)(ids, scores[None].clone())[0].argmax()
    got = draws(Sampling(temperature=0, repetition_penalty=1.7), scores, 1, prompt=prompt, output=output)
    assert got == [int(expected)] != [best]


def test_presence_and_frequency_count_the_output_only() -> None:
    scores = torch.tensor([1.0, 0.9, 0.0])
    presence = Sampling(temperature=0, presence_penalty=0.2)
    assert draws(presence, scores, 1, prompt=[0, 0]) == [0]
    assert draws(presence, scores, 1, output=[0]) == [1]
    frequency = Sampling(temperature=0, frequency_penalty=0.06)
    assert draws(frequency, scores, 1, output=[0]) == [0]
    assert draws(frequency, scores, 1, output=[0, 0]) == [1]


def test_counts_grow_with_the_output() -> None:
    sampler, output = Sampler(Sampling(temperature=0, presence_penalty=1.5), 4), []
    scores = torch.tensor([3.0, 2.5, 2.0, 1.6])
    for _ in range(4):
        output.append(sampler.pick(scores, [], output))
    assert output == [0, 1, 2, 3]


def test_bias_forces_and_bans() -> None:
    scores = logits()
    assert set(draws(Sampling(logit_bias={42: 100}, seed=1), scores, 200)) == {42}
    best = int(scores.argmax())
    assert best not in draws(Sampling(logit_bias={best: -100}, seed=1), scores, 500)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_mask_holds_against_any_setting(temperature: float) -> None:
    scores = logits()
    mask = torch.zeros(VOCAB, dtype=torch.bool)
    mask[[5, 77, 999]] = True
    sampling = Sampling(temperature=temperature, top_k=20, top_p=0.99, logit_bias={6: 100}, seed=1)
    assert set(draws(sampling, scores, 300, mask=mask)) <= {5, 77, 999}


def test_a_seed_repeats_and_none_does_not() -> None:
    scores = logits(scale=0.5)
    seeded = draws(Sampling(seed=11), scores, 100)
    assert seeded == draws(Sampling(seed=11), scores, 100)
    assert seeded != draws(Sampling(seed=12), scores, 100)
    assert draws(Sampling(), scores, 100) != draws(Sampling(), scores, 100)
    assert len(draws(Sampling(seed=-5), scores, 3)) == 3


@pytest.mark.parametrize("extra", [{}, {"top_k": 40}, {"top_p": 0.9}])
def test_batching_noise_does_not_change_the_token(extra: dict[str, Any]) -> None:
    changed = 0
    for seed in range(200):
        scores = logits(seed)
        noisy = scores + torch.randn(VOCAB, generator=torch.Generator().manual_seed(seed + 1)) * 1e-6
        changed += draws(Sampling(seed=seed, **extra), scores, 1) != draws(Sampling(seed=seed, **extra), noisy, 1)
    assert changed == 0


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_broken_model_is_told(broken: float, temperature: float) -> None:
    scores = logits()
    scores[500] = broken
    with pytest.raises(ServiceError, match="not a number"):
        draws(Sampling(temperature=temperature), scores, 1)


def test_nothing_allowed_is_told() -> None:
    with pytest.raises(ServiceError):
        draws(Sampling(), logits(), 1, mask=torch.zeros(VOCAB, dtype=torch.bool))


def test_logits_stay_as_they_are() -> None:
    scores = logits()
    before = scores.clone()
    draws(Sampling(repetition_penalty=1.3, presence_penalty=1, top_k=9, top_p=0.5), scores, 2, prompt=[1], output=[2])
    assert torch.equal(scores, before)


def test_bfloat16_logits() -> None:
    assert draws(Sampling(temperature=0), logits().bfloat16(), 1) == [int(logits().bfloat16().argmax())]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 1.1},
        {"repetition_penalty": 0},
        {"presence_penalty": 2.1},
        {"frequency_penalty": -3},
        {"logit_bias": {1: 101}},
    ],
)
def test_out_of_range_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Sampling(**wrong)
    assert caught.value.param == next(iter(wrong))


def test_bias_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Sampler(Sampling(logit_bias={VOCAB: 1}), VOCAB)
    assert caught.value.param == "logit_bias"
