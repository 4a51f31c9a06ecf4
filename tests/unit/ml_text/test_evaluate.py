"""python -m ml_text.evaluate on tiny models: scores of both, a report as JSON and as a page, and what is refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ml_text import catalog, evaluate
from shared import registry


def test_two_models_side_by_side(save_model: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    for seed in (1, 2):
        registry.publish(tmp_path / "data", f"m{seed}", save_model(f"m{seed}", seed=seed), {"service": "text"})
    rows = [{"prompt": "say", "completion": "the quick fox"}, {"text": "the lazy dog jumps"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    names = {"output": tmp_path / "report.json", "page": tmp_path / "report.html"}
    options = ["--model", "m1", "--against", "m2", "--dataset", str(tmp_path / "rows.jsonl"), "--max_tokens", "8"]
    options = [option.replace("_", "-") if option.startswith("--") else option for option in options]
    assert evaluate.main([*options, *(word for name in names for word in (f"--{name}", str(names[name])))]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    report = json.loads(names["output"].read_text())
    assert [side["name"] for side in printed] == ["m1", "m2"] and report["sides"][0]["scores"] == printed[0]["scores"]
    assert set(printed[0]["scores"]) == {"perplexity", "bleu", "rouge1", "rouge2", "rougeL", "exact_match"}
    model = catalog.load_model(registry.resolve(tmp_path / "data", "m1").path, torch.float32)
    ids = torch.tensor([catalog.load_tokenizer(tmp_path / "m1")(rows[1]["text"])["input_ids"]])
    expected = math.exp(model(input_ids=ids, labels=ids).loss.item())
    assert printed[0]["scores"]["perplexity"] == pytest.approx(expected, rel=1e-3)
    assert "m1 and m2" in names["page"].read_text()


def test_what_cannot_be_evaluated(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "rows.jsonl").write_text('{"nothing": 1}')
    assert evaluate.main(["--dataset", str(tmp_path / "rows.jsonl")]) == 2
    assert "--dataset: row 1: has neither" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--limit", "x", "--dataset", "y"])
