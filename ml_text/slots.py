"""A key/value cache with one slot per request, so that requests of any age share one forward pass.

Rows 0…n-1 of the store are the requests in flight; `place` says what the next forward pass is:
either the prompt of one slot (`Prefill`) or one more token for the first B slots (`Decode`).
Masks are made here, because only the cache knows what its rows hold: T is what the pass attends to, W the window.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from shared.training import memory

LENGTH_STEP = 16
"""A decode step attends to a multiple of this many positions: few distinct shapes, little padding."""


@dataclass(frozen=True)
class Prefill:
    slot: int
    start: int
    count: int
    source: Tensor | None = None
    """(1, E) token ids that an encoder is to read first."""

    @property
    def length(self) -> int:
        return self.start + self.count

    def positions(self, device: torch.device) -> Tensor:
        return torch.arange(self.start, self.length, device=device)[None]  # (1, count)


@dataclass(frozen=True)
class Decode:
    lengths: Tensor
    """(B,) what each slot holds already, which is the new token's position."""
    longest: int

    @property
    def length(self) -> int:
        return -(-(self.longest + 1) // LENGTH_STEP) * LENGTH_STEP

    def positions(self, device: torch.device) -> Tensor:
        return self.lengths[:, None]  # (B, 1)


Place = Prefill | Decode


def mask(positions: Tensor, length: int, window: int | None) -> Tensor:
    """(B, 1, Q, T) bool: query at position p sees keys p-W+1 … p. `positions` is (B, Q)."""
    keys = torch.arange(length, device=positions.device)
    queries = positions[:, None, :, None]
    seen = keys <= queries
    return seen if window is None else seen & (keys > queries - window)


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, (S, H, T, D) each, grown on demand."""

    is_sliding = False

    def __init__(self, owner: "SlotCache") -> None:
        super().__init__()
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        shape = (self.owner.slots, key_states.shape[1], self.owner.length, key_states.shape[3])
        self.keys = key_states.new_zeros(shape)
        self.values = value_states.new_zeros((*shape[:3], value_states.shape[3]))
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the pass's new entries, (B, H, Q, D), and return all that it attends to, (B, H, T, D)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys, values, place = self.keys, self.values, self.owner.place
        assert keys is not None and values is not None and place is not None
        if isinstance(place, Prefill):
            slot, span = place.slot, slice(place.start, place.length)
            keys[slot, :, span], values[slot, :, span] = key_states[0], value_states[0]
            return keys[slot : slot + 1, :, : place.length], values[slot : slot + 1, :, : place.length]
        count = len(place.lengths)
        rows = self.owner.rows[:count]
        keys[rows, :, place.lengths], values[rows, :, place.lengths] = key_states[:, :, 0], value_states[:, :, 0]
        return keys[:count, :, : place.length], values[:count, :, : place.length]

    def grown(self, slots: int, length: int) -> tuple[Tensor, Tensor] | None:
        """A larger copy of keys and values; None when there are none yet."""
        if self.keys is None or self.values is None:
            return None
        larger = [old.new_zeros((slots, old.shape[1], length, old.shape[3])) for old in (self.keys, self.values)]
        for new, old in zip(larger, (self.keys, self.values), strict=True):
            new[: old.shape[0], :, : old.shape[2]] = old
        return larger[0], larger[1]

    def get_seq_length(self) -> int:
        return 0  # positions and masks are passed in, so that nobody derives them from here

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        assert self.owner.place is not None
        return self.owner.place.length, 0

    def get_max_length(self) -> int:
        return self.owner.length


class SlotCache(Cache):
    """The cache of one group of requests. `bytes_per_position` is what one token of one request takes, all layers."""

    def __init__(self, layers: int, device: torch.device, bytes_per_position: int) -> None:
        self.slots = 0
        self.length = 0
        self.place: Place | None = None
        self.bytes_per_position = bytes_per_position
        self.rows = torch.arange(0, device=device)
        self.stores = [SlotLayer(self) for _ in range(layers)]
        super().__init__(layers=list(self.stores))

    def reserve(self, slots: int, length: int, source: int = 0) -> None:
        """Room for `slots` requests of `length` positions; OutOfMemory, and nothing changed, if it does not fit."""
        if slots <= self.slots and length <= self.length:
            return
        # doubling keeps the copies rare; a step below 4 slots or 256 positions is not worth one
        slots = self.slots if slots <= self.slots else max(4, slots, min(2 * self.slots, slots + 8))
        length = self.length if length <= self.length else max(256, -(-length // 256) * 256)
        memory.require(slots * length * self.bytes_per_position, self.rows.device, "the conversation's cache")
        grown = [layer.grown(slots, length) for layer in self.stores]
        for layer, pair in zip(self.stores, grown, strict=True):
            if pair is not None:
                layer.keys, layer.values = pair
        self.slots, self.length = slots, length
        self.rows = torch.arange(slots, device=self.rows.device)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of one slot over another."""
        for layer in self.stores:
            if layer.keys is not None and layer.values is not None:
                layer.keys[target, :, :length] = layer.keys[source, :, :length]
                layer.values[target, :, :length] = layer.values[source, :, :length]

    def reorder(self, parents: Tensor, length: int) -> None:
        """Row i becomes what row `parents[i]` was, `length` positions of it."""
        count = len(parents)
        for layer in self.stores:
            if layer.keys is not None and layer.values is not None:
                layer.keys[:count, :, :length] = layer.keys[parents, :, :length]
                layer.values[:count, :, :length] = layer.values[parents, :, :length]
