"""Adapters: trained on a tiny base, published with their base, loaded by peft, refused where they would do nothing."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from ml_text import catalog
from ml_text.trainers import lora
from ml_text.trainers.pretrained import default_name
from shared import registry
from shared.errors import InvalidRequest, NotFound
from tests.unit.ml_text.training import ROWS, loss, publish_base, settings, write_rows

# peft 0.21 asks transformers 5.23 by a name that it is leaving
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "house style.jsonl", ROWS * 4)


def arguments(dataset: Path, **changes) -> lora.Args:
    given = {"dataset": [dataset], "model": "small-base", "sequence_length": 64, "max_steps": 60, "batch_size": 4}
    return lora.Args(**{**given, "learning_rate": 0.02, "precision": "fp32", "rank": 8, **changes})


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_trained_published_and_loaded(tmp_path, dataset, family):
    publish_base(tmp_path, family)
    assert lora.main(arguments(dataset), settings(tmp_path)) == "ft:small-base:house-style"
    version = registry.resolve(tmp_path / "data", "ft:small-base:house-style")
    assert (
        version.base == f"small-base:{registry.resolve(tmp_path / 'data', 'small-base').version}"
        and version.card["trainer"] == "lora"
    )
    assert {path.name for path in version.path.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    }
    assert json.loads((version.path / "adapter_config.json").read_text())["base_model_name_or_path"] == "small-base"
    base = registry.resolve(tmp_path / "data", "small-base").path
    tokenizer = catalog.load_tokenizer(base)
    before = loss(catalog.load_model(base, torch.float32), tokenizer, dataset)
    adapted = PeftModel.from_pretrained(catalog.load_model(base, torch.float32), version.path)
    after = loss(adapted, tokenizer, dataset)
    assert after < 0.6 * before
    assert after == pytest.approx(version.card["metrics"]["loss"], rel=0.25), "served as it was trained"


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
@pytest.mark.filterwarnings("ignore:MatMul8bitLt")
def test_on_a_quantised_base(tmp_path, dataset, quantize):
    publish_base(tmp_path)
    name = lora.main(arguments(dataset, quantize=quantize, name="q"), settings(tmp_path))
    version = registry.resolve(tmp_path / "data", name)
    base = registry.resolve(tmp_path / "data", "small-base").path
    tokenizer = catalog.load_tokenizer(base)
    plain = catalog.load_model(base, torch.float32)
    before = loss(plain, tokenizer, dataset)
    assert loss(PeftModel.from_pretrained(plain, version.path), tokenizer, dataset) < 0.7 * before


@pytest.mark.parametrize(("targets", "known"), [(["qqq_proj"], "q_proj"), (["q_proj", "c_attn"], "v_proj")])
def test_layers_that_are_not_there_are_refused(tmp_path, dataset, targets, known):
    publish_base(tmp_path)
    with pytest.raises(InvalidRequest, match=f"no layer '{targets[-1]}'.*{known}") as error:
        lora.main(arguments(dataset, target_modules=targets), settings(tmp_path))
    assert error.value.param == "target_modules"


def test_a_layer_that_lora_cannot_adapt_is_refused(tmp_path, dataset):
    publish_base(tmp_path)
    with pytest.raises(InvalidRequest) as error:
        lora.main(arguments(dataset, target_modules=["mlp"]), settings(tmp_path))
    assert error.value.param == "target_modules"


def test_named_layers_alone_are_adapted(tmp_path, dataset):
    publish_base(tmp_path)
    lora.main(arguments(dataset, target_modules=["q_proj", "v_proj"], max_steps=2, name="qv"), settings(tmp_path))
    folder = registry.resolve(tmp_path / "data", "qv").path
    assert sorted(json.loads((folder / "adapter_config.json").read_text())["target_modules"]) == ["q_proj", "v_proj"]


def test_an_adapter_is_no_base(tmp_path, dataset):
    publish_base(tmp_path)
    name = lora.main(arguments(dataset, max_steps=2), settings(tmp_path))
    with pytest.raises(InvalidRequest, match="itself an adapter; train on its base small-base"):
        lora.main(arguments(dataset, model=name), settings(tmp_path))


def test_a_model_that_is_not_there(tmp_path, dataset):
    with pytest.raises(NotFound, match="no model 'nowhere'"):
        lora.main(arguments(dataset, model="nowhere"), settings(tmp_path))


def test_a_resumed_adapter_is_the_undisturbed_one(tmp_path, dataset):
    from shared.training import checkpoints

    publish_base(tmp_path)
    weights = []
    for name in ("whole", "parts"):
        options = {"name": name, "publish": False, "output_dir": tmp_path / name, "save_steps": 5, "max_steps": 12}
        lora.main(arguments(dataset, keep_checkpoints=9, **options), settings(tmp_path))
        if name == "parts":
            for path in checkpoints.found(tmp_path / name)[1:]:
                path.unlink()
            lora.main(arguments(dataset, keep_checkpoints=9, resume=True, **options), settings(tmp_path))
        weights.append((tmp_path / name / "model" / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_names_hold_only_what_a_name_may_hold():
    assert default_name("openai-community/gpt2", Path("a/My data (1).jsonl")) == "ft:openai-community-gpt2:My-data-1-"
    assert registry.check_name(default_name("starter", Path("house_style.jsonl"))) == "ft:starter:house_style"
