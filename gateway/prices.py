"""What tokens cost, and what they would have cost at OpenAI: a JSON table that one can edit."""

import json
import re
from pathlib import Path
from typing import Any

from gateway.text import Spent

SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
"""The date at the end of a model's name: a snapshot costs what its model costs, "gpt-5-pro" not what "gpt-5" does."""
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
                        self._price(provider, model, 1, 1)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the price table {path} cannot be read: {error!r}") from error

    def costs(self, spent: Spent) -> tuple[Cost, Cost]:
        """(what it cost, what OpenAI would have taken)."""
        own = self._price(spent.provider, spent.model, spent.prompt_tokens, spent.completion_tokens)
        row = self._row(spent.provider, spent.model) or {}
        if spent.provider == "openai":
            return own, own
        instead = row.get("instead_of")
        there = self._price("openai", instead, spent.prompt_tokens, spent.completion_tokens) if instead else None
        return own, there

    def _price(self, provider: str, model: str, prompt: int, completion: int) -> Cost:
        row = self._row(provider, model)
        return None if row is None else (prompt * row["input"] + completion * row["output"]) / 1e6

    def _row(self, provider: str, model: str) -> dict[str, Any] | None:
        if (provider, model) not in self.found:
            rows = self.table.get(provider, {})
            self.found[provider, model] = rows.get(model) or rows.get(SNAPSHOT.sub("", model)) or rows.get("*")
        return self.found[provider, model]
