"""The two heads that are set by hand: a random model with them repeats, one without does not."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ml_text.trainers.copying import set_copying_heads

LENGTH = 30


def build() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1000,
        hidden_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=256,
        max_position_embeddings=256,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def twice() -> torch.Tensor:
    """(B, 2 * LENGTH) random tokens, and the same again"""
    return torch.randint(1000, (8, LENGTH), generator=torch.Generator().manual_seed(1)).repeat(1, 2)


@torch.no_grad()
def loss_of_the_second_half(model: LlamaForCausalLM) -> float:
    tokens = twice()
    labels = tokens.clone()
    labels[:, :LENGTH] = -100
    return model(input_ids=tokens, labels=labels).loss.item()


def test_a_random_model_repeats_once_the_heads_are_set():
    model = build()
    before = loss_of_the_second_half(model)
    set_copying_heads(model)
    assert before > 6.5
    assert loss_of_the_second_half(model) < 2.5


@torch.no_grad()
def test_the_heads_look_where_they_should():
    model = build()
    set_copying_heads(model)
    model.set_attn_implementation("eager")
    first, second = (layer[:, 0] for layer in model(input_ids=twice(), output_attentions=True).attentions[:2])
    at = torch.arange(LENGTH + 1, 2 * LENGTH)
    assert first.diagonal(-1, 1, 2).mean() > 0.95
    assert second[:, at, at - LENGTH + 1].mean() > 0.8
