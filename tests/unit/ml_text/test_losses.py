"""Logits of learnt places alone give the whole cross-entropy, for every decoder; preferences begin at ln 2."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ml_text import catalog
from ml_text.trainers.attention import attend_by_sample
from ml_text.trainers.dpo import PreferenceLoss, answer_logprobs, without_dropout
from ml_text.trainers.losses import CausalLoss
from shared.training import lora
from shared.training.packing import IGNORED, pack
from shared.training.samples import Sample

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def batch(rows: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 64, (rows, 12), generator=torch.Generator().manual_seed(0))
    targets = torch.where(torch.arange(12) > 5, ids.roll(-1, 1), IGNORED)
    return ids, targets


@pytest.mark.parametrize("family", [name for name, row in catalog.FAMILIES.items() if row.kind != "encoder-decoder"])
def test_the_loss_is_the_dense_one(family):
    torch.manual_seed(0)
    model = catalog.build(family, vocab_size=64).eval()
    ids, targets = batch()
    positions = torch.arange(12).expand(4, 12)
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
    dense = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
    torch.testing.assert_close(CausalLoss(model)(ids, positions, targets), dense, rtol=1e-4, atol=1e-3)


def preference(beta: float = 0.1) -> tuple[PreferenceLoss, torch.nn.Module]:
    torch.manual_seed(0)
    model = without_dropout(catalog.build("gpt2", vocab_size=64))
    adapted = lora.attach(model, "b", 4, 8, 0.0)
    return PreferenceLoss(adapted.train(), adapted, adapted.disable_adapter, beta), adapted


def test_preferences_begin_at_ln_2_and_the_gradient_parts_the_answers():
    loss, adapted = preference()
    ids, targets = batch()
    value = loss(ids, targets)
    assert value.item() == pytest.approx(2 * math.log(2), rel=1e-5)
    value.backward()
    before = answer_logprobs(adapted, ids, targets).detach()
    with torch.no_grad():
        for weight in adapted.parameters():
            if weight.grad is not None:
                weight -= 0.5 * weight.grad
        after = answer_logprobs(adapted, ids, targets)
    gain = after - before
    assert (gain[:2] > 0).all() and (gain[2:] < 0).all()


def test_the_loss_is_the_papers():
    """Against equation 7, written out row by row."""
    loss, adapted = preference(beta=0.3)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    ids, targets = batch()

    def of(row: int, with_adapter: bool) -> float:
        with torch.no_grad():
            if with_adapter:
                logits = adapted(input_ids=ids[row : row + 1], use_cache=False).logits[0]
            else:
                with adapted.disable_adapter():
                    logits = adapted(input_ids=ids[row : row + 1], use_cache=False).logits[0]
        chosen = logits.log_softmax(-1)[torch.arange(12), targets[row].clamp(min=0)]
        return float(chosen[targets[row] != IGNORED].sum())

    expected = 0.0
    for better, worse in ((0, 2), (1, 3)):
        margin = of(better, True) - of(better, False) - of(worse, True) + of(worse, False)
        expected -= math.log(1 / (1 + math.exp(-0.3 * margin)))
    assert loss(ids, targets).item() == pytest.approx(expected, rel=1e-4)
    assert abs(expected - 2 * math.log(2)) > 0.01


@pytest.mark.parametrize(
    "family", [name for name, row in catalog.FAMILIES.items() if row.kind == "decoder" and row.windows == "none"]
)
def test_attention_by_sample_is_the_masked_one(family):
    """Losses and gradients of packed rows, padding included."""
    chance = np.random.default_rng(1)
    sizes = [30, 11, 7, 40, 5, 3] * 3
    rows = pack([Sample(chance.integers(5, 64, size), chance.random(size) < 0.6) for size in sizes], 110)
    torch.manual_seed(0)
    model = catalog.build(family, vocab_size=64).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3)
    found = []
    for change in (lambda model: None, attend_by_sample):
        change(model)
        model.zero_grad()
        value = CausalLoss(model)(**rows.batch(np.arange(len(rows))))
        value.backward()
        found.append(
            [value.detach(), *(weight.grad.clone() for weight in model.parameters() if weight.grad is not None)]
        )
    assert model.config._attn_implementation == ("by_sample" if not torch.cuda.is_available() else "sdpa")
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-3)
