"""A contrastive pass: from pairs to a model that finds them and serves by name."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_text import pairs
from ml_text.data import Skipped
from ml_text.encoder import load_encoder
from ml_text.sources import Sources
from ml_text.train import PROGRAM
from ml_text.trainers import contrastive
from shared.errors import InvalidRequest
from shared.training import launch

THINGS = "coffee tea bread bikes shoes lamps books plants pizza yoga".split()
WAYS = ["fresh", "cheap", "local", "new", "best", "quiet", "big", "small", "old", "blue"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    chance = random.Random(0)
    rows = [
        {
            "query": f"{chance.choice(WAYS)} {thing} in town",
            "document": f"we have {thing}, {chance.choice(WAYS)} as ever",
        }
        for thing in THINGS * 12
    ]
    path = tmp_path / "shop.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recall(name: str, settings: Any) -> float:
    encoder = load_encoder(Sources(settings).find(name), settings)
    left = encoder.encode(encoder.tokenize([f"old {thing} in town" for thing in THINGS]))
    right = encoder.encode(encoder.tokenize([f"we have {thing}, big as ever" for thing in THINGS]))
    return float(((left @ right.T).argmax(1) == np.arange(len(THINGS))).mean())


def train(dataset: Path, settings: Any, *options: str) -> str:
    small = ["--width", "32", "--layers", "1", "--vocab-size", "400", "--sequence-length", "32", "--batch-size", "10"]
    args = launch.parse(
        PROGRAM, "contrastive", ["--dataset", str(dataset), "--epochs", "8", "--warmup-steps", "5", *small, *options]
    )
    return contrastive.main(args, settings)  # pyright: ignore[reportArgumentType]


def test_from_nothing(dataset: Path, settings: Any) -> None:
    made = settings(dtype="float32")
    name = train(dataset, made, "--learning-rate", "0.005")
    assert name == "shop-embedding"
    assert recall(name, made) >= 0.9
    folder = Sources(made).find(name).folder
    modules = [module["type"].rpartition(".")[2] for module in json.loads((folder / "modules.json").read_text())]
    assert modules == ["Transformer", "Pooling", "Normalize"]
    assert json.loads((folder / "1_Pooling/config.json").read_text())["pooling_mode_mean_tokens"] is True


def test_a_language_model_learns_to_compare(dataset: Path, settings: Any, save_model: Any) -> None:
    made = settings(dtype="float32")
    base = save_model()
    name = train(dataset, made, "--model", str(base), "--learning-rate", "0.001", "--name", "grown")
    assert recall(name, made) >= 0.7


def test_bad_rows_are_named_or_counted(tmp_path: Path, settings: Any, capsys: Any) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"query": "a", "document": "b"}\n{"query": "a"}\n{"query": "a", "document": 3}\n[1]\nno\n')
    with pytest.raises(InvalidRequest, match=r"odd.jsonl, row 2: a row has"):
        list(pairs.read([path], "stop", Skipped()))
    skipped = Skipped()
    assert list(pairs.read([path], "skip", skipped)) == [("a", "b")] and len(skipped.bad) == 4
    assert (
        launch.run(
            PROGRAM, ["contrastive", "--dataset", str(path), "--on-bad-row", "skip", "--output-dir", str(tmp_path)]
        )
        == 2
    )
    assert "too few" in capsys.readouterr().err


def test_a_design_record_is_two_pairs() -> None:
    element = {"type": "text", "x": 80, "y": 80, "fontSize": 44, "color": "#ffffff", "fontFamily": "Roboto"}
    spec = {"background_color": "#101010", "elements": [{**element, "text": "Blue Door"}]}
    row = {"prompt": "Coffee at Blue Door", "platform": "instagram", "format": "square", "response": spec}
    copy, whole = pairs.pairs_of(row)
    assert copy == ("Coffee at Blue Door", "Blue Door") and json.loads(whole[1]) == spec
