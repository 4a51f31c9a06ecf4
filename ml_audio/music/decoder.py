"""A small Llama, token by token, in numpy: the same arithmetic as transformers' for one row with a cache.

With matrices of a few hundred rows a step is a millisecond of multiplying; the calls around it in a general library
take ten. Shapes: T tokens, C width, H heads, D head dimension, L layers, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Layer:
    norm: np.ndarray  # (C,)
    qkv: np.ndarray  # (C, (H + 2 KV) D)
    out: np.ndarray  # (H D, C)
    norm_after: np.ndarray  # (C,)
    gate_up: np.ndarray  # (C, 2 F)
    down: np.ndarray  # (F, C)


class Decoder:
    """`feed` tokens, get the logits of the next one; `reset` forgets them all."""

    def __init__(self, model: Any, context: int) -> None:
        config = model.config
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.dim = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.epsilon = config.rms_norm_eps
        self.embedding = _array(model.model.embed_tokens.weight)  # (V, C)
        self.norm = _array(model.model.norm.weight)
        self.head = _array(model.lm_head.weight).T  # (C, V)
        self.layers = [_layer(block) for block in model.model.layers]
        frequencies = _array(model.model.rotary_emb.inv_freq)  # (D / 2,)
        angles = np.outer(np.arange(context, dtype=np.float32), np.concatenate([frequencies, frequencies]))
        self.cos, self.sin = np.cos(angles), np.sin(angles)  # (context, D)
        shape = (len(self.layers), self.kv_heads, context, self.dim)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.filled = 0

    def reset(self) -> None:
        self.filled = 0

    def feed(self, ids: list[int]) -> np.ndarray:
        """(V,) float32, of what follows the last of `ids`; together with what was fed before they fit the context."""
        begin, end = self.filled, self.filled + len(ids)
        x = self.embedding[ids]  # (T, C)
        for number, layer in enumerate(self.layers):
            x = x + self._attend(number, layer, self._normed(x, layer.norm), begin, end) @ layer.out
            gate, up = np.split(self._normed(x, layer.norm_after) @ layer.gate_up, 2, axis=1)
            x = x + (gate / (1 + np.exp(-gate)) * up) @ layer.down
        self.filled = end
        return self._normed(x[-1:], self.norm)[0] @ self.head

    def _attend(self, number: int, layer: Layer, h: np.ndarray, begin: int, end: int) -> np.ndarray:
        """(T, H D)"""
        mixed = (h @ layer.qkv).reshape(end - begin, -1, self.dim).transpose(1, 0, 2)  # (H + 2 KV, T, D)
        q, k, v = np.split(mixed, [self.heads, self.heads + self.kv_heads])
        cos, sin = self.cos[begin:end], self.sin[begin:end]
        keys, values = self.keys[number], self.values[number]
        keys[:, begin:end], values[:, begin:end] = _turned(k, cos, sin), v
        share = self.heads // self.kv_heads
        past = np.repeat(keys[:, :end], share, axis=0) if share > 1 else keys[:, :end]
        scores = _turned(q, cos, sin) @ past.transpose(0, 2, 1) / np.sqrt(np.float32(self.dim))  # (H, T, end)
        if end - begin > 1:
            scores += np.where(np.arange(end) > np.arange(begin, end)[:, None], np.float32(-1e9), np.float32(0))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen = np.repeat(values[:, :end], share, axis=0) if share > 1 else values[:, :end]
        return (scores @ seen).transpose(1, 0, 2).reshape(end - begin, -1)

    def _normed(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon) * weight


def _turned(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Rotary positions: (…, T, D)."""
    half = x.shape[-1] // 2
    return x * cos + np.concatenate([-x[..., half:], x[..., :half]], axis=-1) * sin


def _layer(block: Any) -> Layer:
    attention, mlp = block.self_attn, block.mlp
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    return Layer(
        _array(block.input_layernorm.weight),
        np.ascontiguousarray(np.concatenate([_array(one.weight) for one in projections]).T),
        np.ascontiguousarray(_array(attention.o_proj.weight).T),
        _array(block.post_attention_layernorm.weight),
        np.ascontiguousarray(np.concatenate([_array(mlp.gate_proj.weight), _array(mlp.up_proj.weight)]).T),
        np.ascontiguousarray(_array(mlp.down_proj.weight).T),
    )


def _array(weight: Any) -> np.ndarray:
    return weight.detach().float().cpu().numpy()
