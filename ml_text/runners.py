"""RUNNERS: how each kind of model runs: what it remembers of a request, and its forward pass over that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ml_text import crossings, forward, states
from ml_text.catalog import FAMILIES, Family
from ml_text.crossings import CrossCache
from ml_text.forward import Forward, RowCache
from ml_text.slots import SlotCache
from ml_text.states import StateCache


@dataclass(frozen=True)
class Runner:
    new_cache: Callable[[Any, torch.dtype], RowCache]
    """From a model and what it computes in."""
    forward_of: Callable[[Any, Family], Forward]


def _slots(model: Any, dtype: torch.dtype) -> SlotCache:
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    layers = config.num_hidden_layers
    return SlotCache(layers, model.device, 2 * layers * heads * width * dtype.itemsize)


def _crossings(model: Any, dtype: torch.dtype) -> CrossCache:
    config = model.config
    # T5's names, or BART's
    layers = getattr(config, "num_decoder_layers", None) or config.decoder_layers
    heads = getattr(config, "num_heads", None) or config.decoder_attention_heads
    width = getattr(config, "d_kv", None) or config.d_model // heads
    return CrossCache(SlotCache(layers, model.device, 2 * layers * heads * width * dtype.itemsize), layers)


def _states(model: Any, dtype: torch.dtype) -> StateCache:
    return StateCache(model.config.num_hidden_layers, model.config.hidden_size, model.device, dtype)


RUNNERS = {
    "decoder": Runner(_slots, lambda model, family: forward.forward_of(model, family.windows)),
    "recurrent": Runner(_states, lambda model, family: states.forward_of(model)),
    "encoder-decoder": Runner(_crossings, lambda model, family: crossings.forward_of(model)),
}


def forward_of(model: Any) -> Forward:
    """The forward pass of a model of any family."""
    family = FAMILIES[model.config.model_type]
    return RUNNERS[family.kind].forward_of(model, family)


def new_cache(model: Any, dtype: torch.dtype) -> RowCache:
    """An empty memory for requests to `model`."""
    return RUNNERS[FAMILIES[model.config.model_type].kind].new_cache(model, dtype)
