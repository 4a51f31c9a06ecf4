"""What tokens, pictures and seconds of sound cost, and would have cost at OpenAI: a JSON table that one can edit."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.modality import Spent

SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
"""The date at the end of a model's name: a snapshot costs what its model costs, "gpt-5-pro" not what "gpt-5" does."""
INSTEAD = {False: "instead_of", True: "images_instead_of"}
Cost = float | None
"""US dollars; None when the table has no price."""


class Prices:
    """Raises ValueError when the table cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            self.table: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text())
            self.found: dict[tuple[str, str], dict[str, Any] | None] = {}
            for provider, rows in self.table.items():
                if isinstance(rows, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
                    for model in rows:
                        self._cost(provider, model, Spent(provider, model, 1, 1))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the price table {path} cannot be read: {error!r}") from error

    def costs(self, spent: Spent) -> tuple[Cost, Cost]:
        """(what it cost, what OpenAI would have taken)."""
        own = self._cost(spent.provider, spent.model, spent)
        if spent.provider == "openai":
            return own, own
        row = self._row(spent.provider, spent.model) or {}
        instead = row.get(f"{spent.work}_instead_of" if spent.work else INSTEAD[bool(spent.images)])
        if not instead:
            return own, None
        there = replace(spent, prompt_tokens=0, completion_tokens=0) if spent.images else spent
        return own, self._cost("openai", instead, there)  # pictures by the piece: tokens of another model say nothing

    def _cost(self, provider: str, model: str, spent: Spent) -> Cost:
        row = self._row(provider, model)
        if row is None:
            return None
        if spent.seconds and not spent.tokens:
            return spent.seconds * row["second"] if "second" in row else None
        if spent.images and not spent.tokens:
            return spent.images * row["image"] if "image" in row else None
        return (spent.prompt_tokens * row["input"] + spent.completion_tokens * row["output"]) / 1e6

    def _row(self, provider: str, model: str) -> dict[str, Any] | None:
        if (provider, model) not in self.found:
            rows = self.table.get(provider, {})
            self.found[provider, model] = rows.get(model) or rows.get(SNAPSHOT.sub("", model)) or rows.get("*")
        return self.found[provider, model]
