"""A model from random weights: tokenizer, preset, training, publishing, and opening it as any other model."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from ml_text.settings import TextSettings
from ml_text.tokenizer import train_tokenizer
from ml_text.trainers import scratch
from shared import registry
from shared.errors import InvalidRequest
from shared.training.packing import IGNORED, pack
from tests.unit.services import settings_in

COLOURS = ["red", "green", "blue", "black", "white"]


def settings(folder: Path) -> TextSettings:
    return settings_in(folder / "data", TextSettings)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    file = tmp_path / "colours.jsonl"
    rows = [{"prompt": f"name {colour}", "completion": f'{{"color":"{colour}"}}'} for colour in COLOURS * 8]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def arguments(dataset: Path, **changes) -> scratch.Args:
    given = {"dataset": [dataset], "preset": "tiny", "sequence_length": 64, "batch_size": 4, "max_steps": 60}
    given |= {"learning_rate": 0.01, "warmup_steps": 5, "context_length": 128, "log_steps": 10, "precision": "fp32"}
    return scratch.Args(**{**given, **changes})


def test_trained_published_and_opened(tmp_path, dataset):
    assert scratch.main(arguments(dataset), settings(tmp_path)) == "colours"
    version = registry.resolve(tmp_path / "data", "colours")
    assert version.card["service"] == "text" and version.card["trainer"] == "scratch" and version.base is None
    assert len(version.card["dataset_sha256"]) == 64 and version.card["args"]["seed"] == 42
    assert version.card["metrics"]["best_loss"] < 1.5
    tokenizer = AutoTokenizer.from_pretrained(version.path)
    model = AutoModelForCausalLM.from_pretrained(version.path, dtype=torch.float32)
    assert model.config.use_cache and model.generation_config.eos_token_id == tokenizer.eos_token_id
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "name blue"}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    answer = model.generate(**asked, max_new_tokens=20, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert tokenizer.decode(answer).startswith('{"color":"') and tokenizer.decode(answer).endswith('"}<|end|>')
    with safe_open(version.path / "model.safetensors", "pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118


def test_only_in_its_folder(tmp_path, dataset):
    made = scratch.main(
        arguments(dataset, publish=False, output_dir=tmp_path / "here", max_steps=3, save_dtype="float32"),
        settings(tmp_path),
    )
    assert made == str(tmp_path / "here" / "model")
    assert AutoModelForCausalLM.from_pretrained(made).dtype == torch.float32
    assert not (tmp_path / "data").exists()
    assert json.loads((tmp_path / "here" / "result.json").read_text())["metrics"]["step"] == 3


def test_the_starter_is_small():
    """At most 10 MB in bf16; the vocabulary's size is what counts, not the words in it."""
    tokenizer = train_tokenizer(["x"], 262, 64)
    tokenizer.add_tokens([f"word{number}" for number in range(3_072 - len(tokenizer))])
    model = scratch.build(scratch.Args(dataset=[Path("x")], preset="starter"), tokenizer)
    assert len(tokenizer) == 3_072
    assert 2 * model.num_parameters() < 10e6
    assert model.config.tie_word_embeddings and model.config.max_position_embeddings == 1024


@pytest.mark.parametrize(("preset", "width", "layers"), [("small", 256, 4), ("medium", 512, 6), ("large", 1024, 12)])
def test_presets(preset, width, layers):
    with torch.device("meta"):
        model = scratch.build(scratch.Args(dataset=[Path("x")], preset=preset), train_tokenizer(["x"], 262, 64))
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (width, layers)


def test_options_override_the_preset():
    args = scratch.Args(dataset=[Path("x")], preset="tiny", width=48, heads=6, kv_heads=3, layers=1, intermediate=40)
    config = scratch.build(args, train_tokenizer(["x"], 262, 64)).config
    assert (config.hidden_size, config.num_attention_heads, config.num_key_value_heads) == (48, 6, 3)
    assert (config.num_hidden_layers, config.intermediate_size) == (1, 40)


@pytest.mark.parametrize(
    ("changes", "param"),
    [({"heads": 3}, "heads"), ({"heads": 4, "kv_heads": 3}, "kv_heads"), ({"sequence_length": 200}, "sequence_length")],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path, dataset, changes, param):
    with pytest.raises(InvalidRequest) as error:
        scratch.main(arguments(dataset, **changes), settings(tmp_path))
    assert error.value.param == param


def test_rows_that_are_all_too_long(tmp_path, dataset):
    with pytest.raises(InvalidRequest, match="all 40 rows are longer than 8 tokens") as error:
        scratch.main(arguments(dataset, sequence_length=8), settings(tmp_path))
    assert error.value.param == "dataset"


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # inductor, inside
def test_the_sparse_loss_is_the_dense_one(dataset, compiled):
    from ml_text import data

    tokenizer = train_tokenizer([dataset.read_text()], 300, 64)
    samples = list(data.encode(data.read([dataset]), tokenizer, 64, data.Skipped()))
    batch = pack(samples, 64).batch(torch.arange(4).numpy())
    model = scratch.build(arguments(dataset, layers=1), tokenizer)
    loss = scratch.SparseLoss(model, compiled).train()
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    dense = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["targets"].flatten(), ignore_index=IGNORED, reduction="sum"
    )
    torch.testing.assert_close(loss(**batch), dense, rtol=1e-4, atol=1e-3)
