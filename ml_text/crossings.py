"""Encoder-decoder models with one row per request: the encoder reads a prompt once, the decoder writes beside others.

A row has keys and values of what was written (as in `slots`) and of what the encoder read, which never change.
transformers' decoders know one position for all rows; two small changes in the loaded model let each have its own.

B rows, Q new tokens, T written ones, E encoded ones, H heads.
"""

from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from ml_text.forward import Forward
from ml_text.slots import LENGTH_STEP, Place, Prefill, SlotCache, mask
from shared.training import memory


class SourceLayer(CacheLayerMixin):
    """One layer's keys and values of the encoded prompts, (S, H, E, D); `keys` and `values` are the pass's rows."""

    is_sliding = False

    def __init__(self, owner: "CrossCache") -> None:
        super().__init__()
        self.owner = owner
        self.stored: tuple[Tensor, Tensor] | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """A prompt was encoded: (1, H, E, D) into its slot, once."""
        assert isinstance(self.owner.place, Prefill)
        stored = self._room(key_states, value_states)
        for store, new in zip(stored, (key_states, value_states), strict=True):
            store[self.owner.place.slot, :, : new.shape[2]] = new[0]
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def show(self, rows: slice, length: int) -> None:
        if self.stored is not None:
            self.keys, self.values = (store[rows, :, :length] for store in self.stored)

    def get_seq_length(self) -> int:
        return 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return 0, 0  # masks are passed in

    def get_max_length(self) -> int:
        return -1

    def _room(self, *new: Tensor) -> tuple[Tensor, Tensor]:
        """The store, grown to the cache's slots and to `new`'s length."""
        slots, length = self.owner.writing.slots, -(-new[0].shape[2] // LENGTH_STEP) * LENGTH_STEP
        had = self.stored[0].shape if self.stored else (0, 0, 0, 0)
        if self.stored is None or had[0] < slots or had[2] < length:
            shapes = [(slots, state.shape[1], max(length, had[2]), state.shape[3]) for state in new]
            grown = [state.new_zeros(shape) for state, shape in zip(new, shapes, strict=True)]
            for store, old in zip(grown, self.stored or (), strict=False):
                store[: had[0], :, : had[2]] = old
            self.stored = (grown[0], grown[1])
        return self.stored


class CrossCache(EncoderDecoderCache):
    """The memory of one group of requests: `writing` as for a decoder alone, and what its encoder read."""

    def __init__(self, writing: SlotCache, layers: int) -> None:
        self.writing = writing
        self.sources = [SourceLayer(self) for _ in range(layers)]
        self.encoded = torch.zeros(0, dtype=torch.long, device=writing.rows.device)  # (S,) E of each row
        super().__init__(writing, Cache(layers=list(self.sources)))

    @property
    def rows(self) -> Tensor:
        return self.writing.rows

    @property
    def place(self) -> Place | None:
        return self.writing.place

    def reserve(self, slots: int, length: int, source: int = 0) -> None:
        """As `SlotCache.reserve`, with room for prompts of `source` tokens."""
        each = self.writing.bytes_per_position
        longest = max(source, int(self.encoded.max()) if len(self.encoded) else 0)
        if source or slots > self.writing.slots:
            memory.require(slots * longest * each, self.rows.device, "the encoded prompt")
        self.writing.reserve(slots, length)
        missing = self.writing.slots - len(self.encoded)
        if missing > 0:
            self.encoded = torch.cat([self.encoded, self.encoded.new_zeros(missing)])

    def move(self, source: int, target: int, length: int) -> None:
        self.writing.move(source, target, length)
        for layer in self.sources:
            for store in layer.stored or ():
                if max(source, target) < len(store):
                    store[target] = store[source]
        self.encoded[target] = self.encoded[source]

    def reorder(self, parents: Tensor, length: int) -> None:
        """Row i goes on from what row `parents[i]` wrote; all of them have read the same prompt."""
        self.writing.reorder(parents, length)

    def get_seq_length(self, layer_idx: int = 0) -> Any:
        """Where the pass's first token stands: one number, or (B, 1) of them."""
        place = self.place
        if place is None or isinstance(place, Prefill):
            return place.start if place else 0
        return place.lengths[:, None]

    def aim(self, place: Place) -> Tensor:
        """Show the layers the rows of the next pass; (B, 1, 1, E) bool, which encoded tokens each may look at."""
        self.writing.place = place
        rows = slice(place.slot, place.slot + 1) if isinstance(place, Prefill) else slice(0, len(place.lengths))
        encoded = self.encoded[rows]
        length = int(encoded.max())
        if len(encoded) > 1:  # few distinct shapes
            stored = self.sources[0].stored
            length = min(-(-length // LENGTH_STEP) * LENGTH_STEP, stored[0].shape[2] if stored else length)
        for number, layer in enumerate(self.sources):
            layer.show(rows, length)
            self.is_updated[number] = True
        return (torch.arange(length, device=encoded.device) < encoded[:, None])[:, None, None]

    def begin(self, slot: int, source: Tensor) -> None:
        """`source` (1, E) is about to be encoded for `slot`."""
        self.encoded[slot] = source.shape[1]


def forward_of(model: Any) -> Forward:
    """A prompt's tokens come with `Prefill.source`; `ids` are the decoder's."""
    give_rows_positions(model)
    encoder = model.get_encoder()

    def forward(ids: Tensor, place: Place, cache: CrossCache, keep: int = 1) -> Tensor:
        source = place.source if isinstance(place, Prefill) else None
        if source is not None:
            assert isinstance(place, Prefill)
            cache.begin(place.slot, source)
        seen = cache.aim(place)
        if source is not None:
            states = encoder(input_ids=source).last_hidden_state  # (1, E, C)
            cache.is_updated.clear()
        else:
            states = model.get_input_embeddings().weight.new_zeros(len(ids), 1, 1)  # not looked at
        output = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=seen,
            decoder_input_ids=ids,
            decoder_attention_mask=mask(place.positions(ids.device), place.length, None),
            past_key_values=cache,
            use_cache=True,
        )
        return output.logits[:, -keep:].float()

    return forward


def give_rows_positions(model: Any) -> None:
    """Let the decoder take (B, 1) positions where transformers' code has one number for all rows. In place, once."""
    decoder = model.get_decoder()
    if hasattr(decoder, "block"):  # T5: a bias by distance, made in the first layer for all
        attention = decoder.block[0].layer[0].SelfAttention
        attention.compute_bias = MethodType(_bias_of_rows, attention)
    else:
        embedding = decoder.embed_positions
        if "forward" not in vars(embedding):
            embedding.forward = _positions_of_rows(embedding.forward)


def _bias_of_rows(
    attention: Any, query_length: int, key_length: int, device: Any = None, past_seen_tokens: Any = 0
) -> Tensor:
    """(B, H, Q, T) by how far each key is from each query. `past_seen_tokens` is a number, or (B, 1)."""
    device = attention.relative_attention_bias.weight.device
    queries = torch.arange(query_length, device=device) + past_seen_tokens  # (Q,) or (B, Q)
    distances = torch.arange(key_length, device=device) - queries[..., None]  # ([B,] Q, T)
    buckets = attention._relative_position_bucket(
        distances,
        bidirectional=False,
        num_buckets=attention.relative_attention_num_buckets,
        max_distance=attention.relative_attention_max_distance,
    )
    values = attention.relative_attention_bias(buckets)  # ([B,] Q, T, H)
    return values.movedim(-1, -3).reshape(-1, values.shape[-1], query_length, key_length)


def _positions_of_rows(plain: Any) -> Any:
    """BART puts an axis before positions that have one for the rows already."""

    def forward(inputs: Any, past_key_values_length: Any = 0, position_ids: Tensor | None = None) -> Tensor:
        embedded = plain(inputs, past_key_values_length, position_ids=position_ids)
        return embedded.squeeze(0) if embedded.dim() == 4 else embedded

    return forward
