"""What the trainers' tests share: a tiny published base, and what a model makes of a data set."""

import json
from pathlib import Path
from typing import Any

import torch

from ml_text import catalog, data
from ml_text.settings import TextSettings
from ml_text.tokenizer import train_tokenizer
from shared import registry
from tests.unit.services import settings_in

ROWS = [{"prompt": f"say {word}", "completion": f"{word.upper()} yes"} for word in "one two three four five".split()]


def settings(folder: Path) -> TextSettings:
    return settings_in(folder / "data", TextSettings)


def write_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def publish_base(tmp_path: Path, family: str = "llama") -> str:
    """A tiny model with random weights, published as `small-base`."""
    tokenizer = train_tokenizer([json.dumps(ROWS)], 300, 256)
    torch.manual_seed(0)
    model = catalog.build(family, vocab_size=len(tokenizer), pad_token_id=0, bos_token_id=1, eos_token_id=1)
    for parameter in model.parameters():  # a base that was never trained has logits near 0, whatever LoRA adds
        if parameter.ndim > 1:
            parameter.data.mul_(8)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return registry.publish(tmp_path / "data", "small-base", tmp_path / "base", {"service": "text"}).name


def loss(model: torch.nn.Module, tokenizer: Any, dataset: Path) -> float:
    """The mean over the first five records."""
    samples = data.encode(data.read([dataset]), tokenizer, 64, data.Skipped())
    total = 0.0
    with torch.no_grad():
        for sample in list(samples)[:5]:
            ids = torch.tensor(sample.ids, dtype=torch.long)[None]
            labels = torch.where(torch.tensor(sample.loss)[None], ids, -100)
            total += model(input_ids=ids, labels=labels, use_cache=False).loss.item() / 5
    return total
