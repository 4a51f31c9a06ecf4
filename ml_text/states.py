"""A recurrent model's memory with one row per request: a state of fixed size instead of keys and values."""

from typing import Any

import torch
from torch import Tensor

from ml_text.forward import Forward
from ml_text.models.lstm import LstmState
from ml_text.slots import Place, Prefill
from shared.training import memory


class StateCache:
    """`state` is (2, L, S, C): hidden and cell of every layer, for S rows."""

    def __init__(self, layers: int, width: int, device: torch.device, dtype: torch.dtype) -> None:
        self.state = torch.zeros(2, layers, 0, width, device=device, dtype=dtype)
        self.rows = torch.arange(0, device=device)

    def reserve(self, slots: int, length: int, source: int = 0) -> None:
        """Room for `slots` requests of any length; OutOfMemory, and nothing changed, if it does not fit."""
        have = self.state.shape[2]
        if slots <= have:
            return
        slots = max(4, slots, 2 * have)
        each = self.state.element_size() * 2 * self.state.shape[1] * self.state.shape[3]
        memory.require(slots * each, self.rows.device, "the conversation's state")
        grown = self.state.new_zeros(*self.state.shape[:2], slots, self.state.shape[3])
        grown[:, :, :have] = self.state
        self.state, self.rows = grown, torch.arange(slots, device=self.rows.device)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy one row over another, whatever its `length`."""
        self.state[:, :, target] = self.state[:, :, source]

    def reorder(self, parents: Tensor, length: int) -> None:
        """Row i becomes what row `parents[i]` was."""
        self.state[:, :, : len(parents)] = self.state[:, :, parents]


def forward_of(model: Any) -> Forward:
    """Over a model that takes and returns an `LstmState`."""

    def forward(ids: Tensor, place: Place, cache: StateCache, keep: int = 1) -> Tensor:
        rows = slice(place.slot, place.slot + 1) if isinstance(place, Prefill) else slice(0, len(place.lengths))
        before = cache.state[:, :, rows]  # (2, L, B, C)
        # a prompt's first piece is at position 0, where the row's former state is forgotten
        output = model(
            input_ids=ids,
            position_ids=place.positions(ids.device),
            past_key_values=LstmState(before[0], before[1]),
            logits_to_keep=keep,
        )
        cache.state[0, :, rows], cache.state[1, :, rows] = output.past_key_values.hidden, output.past_key_values.cell
        return output.logits.float()

    return forward
