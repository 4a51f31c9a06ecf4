"""The project's own LSTM: packed rows do not leak, it learns, and a folder of it opens by its own format."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from ml_text import catalog
from ml_text.models.lstm import LstmForCausalLM
from tests.unit.ml_text.conftest import build_model


def ids(rows: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(5, 384, (rows, count), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model() -> LstmForCausalLM:
    return build_model("lstm")


@torch.inference_mode()
def test_packed_samples_do_not_see_each_other(model: LstmForCausalLM) -> None:
    lengths = [[7, 5, 4], [3, 13]]
    samples = [[ids(1, length, 10 * row + place) for place, length in enumerate(of)] for row, of in enumerate(lengths)]
    packed = torch.cat([torch.cat(row, dim=1) for row in samples])
    positions = torch.stack([torch.cat([torch.arange(length) for length in of]) for of in lengths])
    logits = model(packed, position_ids=positions).logits
    alone = torch.cat([torch.cat([model(sample).logits for sample in row], dim=1) for row in samples])
    torch.testing.assert_close(logits, alone)
    leaking = model(packed).logits
    assert (leaking[0, 7:] - alone[0, 7:]).abs().max() > 0.01, "without positions a row is one sample"


@torch.inference_mode()
def test_a_state_goes_on_where_it_was(model: LstmForCausalLM) -> None:
    tokens = ids(2, 12)
    whole = model(tokens).logits
    first = model(tokens[:, :7])
    rest = model(tokens[:, 7:], position_ids=torch.arange(7, 12).expand(2, -1), past_key_values=first.past_key_values)
    torch.testing.assert_close(torch.cat([first.logits, rest.logits], dim=1), whole)
    torch.testing.assert_close(model(tokens, logits_to_keep=3).logits, whole[:, -3:])


def test_it_learns_what_stood_many_tokens_before() -> None:
    """The first token is to be said again after seven others: nothing but memory tells it."""
    torch.manual_seed(0)
    model = catalog.build("lstm", vocab_size=12, hidden_size=32).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    hits = 0.0
    for _ in range(160):
        rows = torch.randint(2, 12, (32, 9))
        rows[:, 8] = 1  # the question
        logits = model(rows).logits[:, -1]
        loss = F.cross_entropy(logits, rows[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        hits = float((logits.argmax(-1) == rows[:, 0]).float().mean())
    assert hits > 0.6, f"chance is 0.1, not {hits}"


def test_its_folder_is_in_hugging_face_format(tmp_path: Path, model: LstmForCausalLM) -> None:
    model.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.py")) and (tmp_path / "model.safetensors").is_file()
    loaded = catalog.load_model(tmp_path, torch.float32)
    assert isinstance(loaded, LstmForCausalLM) and not loaded.training
    torch.testing.assert_close(loaded(ids(1, 9)).logits, model(ids(1, 9)).logits)
    tied = catalog.build("lstm", vocab_size=100)
    assert tied.lm_head.weight is tied.model.embed_tokens.weight


@pytest.mark.parametrize("beams", [1, 3])
def test_generate_with_its_state_is_generate_without(model: LstmForCausalLM, beams: int) -> None:
    options = {"max_new_tokens": 12, "do_sample": False, "num_beams": beams}
    with_state, without = (model.generate(ids(1, 6), use_cache=cached, **options) for cached in (True, False))
    assert with_state.tolist() == without.tolist()


def test_the_loss_is_of_the_next_token(model: LstmForCausalLM) -> None:
    tokens = ids(2, 9)
    output = model(tokens, labels=tokens)
    expected = F.cross_entropy(output.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(model(inputs_embeds=model.get_input_embeddings()(tokens)).logits, output.logits)
