"""What is published is what was trained: a weight that changed on its way to disk is found, and both numbers said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ml_text import parity as parity_file
from ml_text.parity import Unfaithful, fixed_batch
from ml_text.trainers import lora, scratch, sft
from shared import registry
from shared.training import folder as training_folder
from tests.unit.ml_text.test_lora import arguments, dataset, publish_base, settings

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
__all__ = ["dataset"]


def corrupted(monkeypatch: pytest.MonkeyPatch, file: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """From now on one matrix of what a trainer saves is another by the time that it is checked."""
    check = parity_file.parity

    def changed(*given: Any, **more: Any) -> Callable[[Path], None]:
        inner = check(*given, **more)

        def run(folder: Path) -> None:
            weights = load_file(folder / file)
            name = next(name for name in sorted(weights) if weights[name].ndim == 2 and "layers.1" in name)
            save_file({**weights, name: change(weights[name]).contiguous()}, folder / file, {"format": "pt"})
            inner(folder)

        return run

    for trainer in (lora, scratch, sft):
        monkeypatch.setattr(trainer, "parity", changed)


def test_each_trainer_notes_that_both_agree(tmp_path: Path, dataset: Path) -> None:
    publish_base(tmp_path)
    options = {"dataset": [dataset], "max_steps": 5, "sequence_length": 64, "precision": "fp32"}
    made = [
        lora.main(arguments(dataset, max_steps=20), settings(tmp_path)),
        sft.main(sft.Args(**options, model="small-base", name="whole"), settings(tmp_path)),
        scratch.main(scratch.Args(**options, preset="tiny", name="new"), settings(tmp_path)),
    ]
    for name in made:
        noted = registry.resolve(tmp_path / "data", name).card["parity"]
        assert noted["checked"] and noted["trained"] == pytest.approx(noted["served"], abs=1e-3), (name, noted)


def test_a_corrupted_weight_is_not_published(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_base(tmp_path)
    corrupted(monkeypatch, "adapter_model.safetensors", lambda weight: -weight)
    with pytest.raises(Unfaithful, match=r"loss \d+\.\d+ in training, \d+\.\d+ served, .* not published"):
        lora.main(arguments(dataset), settings(tmp_path))
    assert [found.name for found in registry.list_models(tmp_path / "data")] == ["small-base"]
    corrupted(monkeypatch, "model.safetensors", lambda weight: weight.roll(1, 0))
    options = {"dataset": [dataset], "max_steps": 30, "sequence_length": 64, "name": "new"}
    with pytest.raises(Unfaithful, match="not published"):
        scratch.main(scratch.Args(**options, preset="tiny"), settings(tmp_path))


def test_the_batch_is_the_first_texts_without_padding(tmp_path: Path) -> None:
    from shared.training.packing import pack
    from shared.training.samples import Sample

    samples = [Sample(np.arange(5, 5 + n), np.ones(n, bool)) for n in (6, 3, 4)]
    pack(samples, 10, 0, tmp_path)
    from shared.training.packing import Rows

    texts = fixed_batch(Rows.load(tmp_path))
    assert sorted(map(len, texts)) == [3, 4, 6] and all(text == [*range(5, 5 + len(text))] for text in texts)


def test_the_folder_opens_in_plain_transformers_and_peft(tmp_path: Path, dataset: Path) -> None:
    publish_base(tmp_path)
    data = tmp_path / "data"
    adapter = registry.resolve(data, lora.main(arguments(dataset, max_steps=5), settings(tmp_path)))
    base = registry.resolve(data, "small-base")
    model = AutoModelForCausalLM.from_pretrained(base.path)
    adapted = PeftModel.from_pretrained(model, adapter.path)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    ids = tokenizer("say one", return_tensors="pt")["input_ids"]
    assert adapted(input_ids=ids).logits.isfinite().all()
    front, _, body = (adapter.path / "README.md").read_text().removeprefix("---\n").partition("\n---\n")
    assert "base_model: small-base" in front and "library_name: peft" in front and "- lora" in front
    assert json.loads((adapter.path / "card.json").read_text())["dataset_sha256"] in body
    assert "learning_rate" in body and training_folder.RESULT not in body
