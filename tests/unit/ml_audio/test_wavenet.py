"""WaveNet: causal, conditioned, and the same with its rings as without."""

import pytest
import torch

from ml_audio.models.wavenet import WaveNet, WaveNetConfig, compress, expand

TINY = WaveNetConfig(levels=16, residual=8, skip=12, cycle=3, cycles=2, condition=4, hop=8)


def tiny(config: WaveNetConfig = TINY) -> WaveNet:
    torch.manual_seed(0)
    model = WaveNet(config).double().eval()
    for weight in model.parameters():  # random weights near zero would draw from nearly even odds
        weight.data.mul_(2)
    return model


def test_mu_law_there_and_back_is_within_a_level():
    x = torch.linspace(-1, 1, 999)
    y = expand(compress(x, 256), 256)
    assert (y - x).abs().max() < 0.03 and (y - x).abs()[480:520].max() < 0.001
    assert compress(torch.tensor([-9.0, 9.0]), 256).tolist() == [0, 255]


def test_a_sample_depends_on_those_before_alone_and_as_far_as_the_receptive_field():
    model = tiny()
    numbers, condition = torch.randint(16, (1, 40)), torch.randn(1, 6, 4, dtype=torch.float64)
    before = model(numbers, condition)
    place = 20
    changed = numbers.clone()
    changed[0, place] = (changed[0, place] + 5) % 16
    moved = (model(changed, condition) - before).abs().amax(-1)[0] > 1e-12
    reach = TINY.receptive_field
    assert not moved[:place].any() and moved[place] and not moved[place + reach :].any()
    assert moved[place : place + reach].nonzero().max() == reach - 1


def test_the_condition_of_a_place_is_that_of_the_sample_it_tells_of():
    model = tiny()
    numbers = torch.randint(16, (1, 24))
    condition = torch.randn(1, 3, 4, dtype=torch.float64)
    changed = condition.clone()
    changed[0, 2] += 1  # samples 16 to 23
    moved = (model(numbers, changed) - model(numbers, condition)).abs().amax(-1)[0] > 1e-12
    assert moved.nonzero()[0].item() == 15


@pytest.mark.parametrize("conditioned", [True, False])
def test_rings_give_sample_for_sample_what_the_whole_network_gives(conditioned: bool):
    config = TINY if conditioned else WaveNetConfig(levels=16, residual=8, skip=12, cycle=3, cycles=2)
    model = tiny(config)
    condition = torch.randn(2, 10, 4, dtype=torch.float64) if conditioned else None
    quick = model.generate(70, condition, batch=2, seed=3)
    slow = model.generate_slowly(70, condition, batch=2, seed=3)
    assert quick.shape == (2, 70) and torch.equal(quick, slow)
    assert len(quick.unique()) > 4  # it is not one level all along
    assert not torch.equal(quick, model.generate(70, condition, batch=2, seed=4))


def test_generation_follows_the_distribution_that_training_sees():
    """Of the drawn samples, the network's own cross-entropy is that of its distributions' entropy, on average."""
    model = tiny(WaveNetConfig(levels=16, residual=8, skip=12, cycle=3, cycles=2))
    drawn = model.generate(1500, batch=4, seed=1)
    begun = torch.cat([torch.full((4, 1), 8), drawn], 1)
    odds = model(begun)[:, :-1].log_softmax(-1)
    said = -odds.gather(-1, drawn[..., None]).mean()
    entropy = -(odds.exp() * odds).sum(-1).mean()
    assert abs(said - entropy) < 0.05


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = tiny().float()
    model.save_pretrained(tmp_path)
    again = WaveNet.from_pretrained(tmp_path)
    numbers, condition = torch.randint(16, (1, 20)), torch.randn(1, 4, 4)
    assert torch.equal(again(numbers, condition), model(numbers, condition))
    assert again.config == TINY
