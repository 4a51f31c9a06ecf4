"""The README.md of a model's folder, in Hugging Face's form: YAML in front, then what it is, from what, how, how well.

https://huggingface.co/docs/hub/model-cards
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.registry.names import model_of

PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z][a-z0-9_-]*")
"""What YAML reads as a string without quotation marks."""
METHODS = {"lora": "lora", "sft": "sft", "dpo": "dpo"}
"""Trainer -> the tag that the hub knows it by."""


def write_model_card(folder: Path, name: str, card: Mapping[str, Any]) -> None:
    (folder / "README.md").write_text(model_card(folder, name, card))


def model_card(folder: Path, name: str, card: Mapping[str, Any]) -> str:
    front = "\n".join(_yaml(_front(folder, name, card)))
    return f"---\n{front}\n---\n\n{_body(name, card)}"


def _front(folder: Path, name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    adapter = (folder / "adapter_config.json").is_file()
    base = card.get("base") or card.get("begun_from")
    metrics = {key: card["metrics"][key] for key in ("loss", "best_loss") if key in card.get("metrics", {})}
    found: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "base_model": model_of(str(base)) if base else None,
        "pipeline_tag": "text-generation" if card.get("service") == "text" else None,
        "tags": [tag for tag in (METHODS.get(str(card.get("trainer"))), str(card.get("trainer") or "")) if tag],
        "datasets": [f"sha256:{card['dataset_sha256']}"] if card.get("dataset_sha256") else None,
        "metrics": ["loss"] if metrics else None,
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "text-generation"},
                        "dataset": {"name": "training data", "type": f"sha256:{card.get('dataset_sha256', '')}"},
                        "metrics": [{"type": key, "value": value} for key, value in metrics.items()],
                    }
                ],
            }
        ]
        if metrics
        else None,
    }
    found["tags"] = sorted(set(found["tags"]))
    return {key: value for key, value in found.items() if value not in (None, [])}


def _body(name: str, card: Mapping[str, Any]) -> str:
    base = card.get("base") or card.get("begun_from")
    came = f"from `{base}`" if base else "from random weights"
    parts = [f"# {name}", f"Trained {came} with the method `{card.get('trainer', 'unknown')}`."]
    if card.get("dataset_sha256"):
        parts.append(f"Data: SHA-256 `{card['dataset_sha256']}`.")
    parity = card.get("parity")
    if parity and parity["checked"] and "trained" in parity:
        parts.append(
            f"Before it was published, a fixed batch cost {parity['trained']} nats per token in training and"
            f" {parity['served']} as it is served."
        )
    if card.get("metrics"):
        parts.append("## Metrics\n\n" + _table(card["metrics"]))
    if card.get("args"):
        parts.append("## Recipe\n\n" + _table(card["args"]))
    return "\n\n".join(parts) + "\n"


def _table(rows: Mapping[str, Any]) -> str:
    lines = [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _yaml(value: Any, indent: str = "") -> list[str]:
    """Of mappings, lists and scalars; a JSON scalar is a YAML scalar."""
    lines: list[str] = []
    entries = value.items() if isinstance(value, Mapping) else [(None, each) for each in value]
    for key, each in entries:
        head = f"{indent}- " if key is None else f"{indent}{key}:"
        if isinstance(each, Mapping | list):
            inner = _yaml(each, indent + "  ")
            if key is None:  # the first line of an entry stands behind its dash
                lines += [head + inner[0].lstrip(), *inner[1:]]
            else:
                lines += [head, *inner]
        else:
            scalar = each if isinstance(each, str) and PLAIN.fullmatch(each) else json.dumps(each)
            lines.append(head + scalar if key is None else f"{head} {scalar}")
    return lines
