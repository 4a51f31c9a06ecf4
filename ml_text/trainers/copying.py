"""Copying by construction: two attention heads that find what followed last time, set by hand before training begins.

An induction head (https://arxiv.org/abs/2209.11895) needs two layers to agree: one head that writes down, at each
token, which token came before it, and one that looks for the place where the present token was written down. Training
finds the pair only after many millions of tokens; a small model that has to repeat names cannot wait. So the pair is
put into the first two layers of a random Llama, and training refines it.

Shapes: V vocabulary, C width, D head dimension. Rotary pairs are (i, i + D/2), the angle per position falls with i.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from shared.errors import InvalidRequest

SHARPNESS = 12.0
"""By how many nats the previous-token head prefers the token before to its neighbours."""
MATCH = 30.0
"""Attention logit of a token that matches itself; two different tokens are near 0."""
CONSTANT = 0.7
"""Length of the direction that all embeddings are given in common, in units of their mean length."""
NOTE, REPEAT = 1.0, 2.0
"""Length of what the heads write, in units of an embedding's."""
EMBEDDING = 5.0
"""Embeddings of 0.1 instead of 0.02: what the heads repeat has to be heard over the random rest."""
FAST, SLOW = 0.05, 0.004
"""Rotary pairs that turn by more than FAST per position (rad) tell distances; by less than SLOW, they carry content."""


@torch.no_grad()
def set_copying_heads(model: LlamaForCausalLM) -> None:
    """Overwrite the first key/value head of the first two layers, and the first query head of each, in place.

    For a model with random weights. Raises InvalidRequest when its heads have too few slow rotary pairs.
    """
    if not any(angle < SLOW for angle in parts(model).rotary_emb.inv_freq.tolist()):
        raise InvalidRequest("heads of this size have no rotary pair slow enough to copy by", param="copying_heads")
    embeddings: Tensor = parts(model).embed_tokens.weight  # (V, C), also the output layer when tied
    embeddings *= EMBEDDING
    directions = principal_directions(embeddings)  # (C, C), the strongest first
    constant = directions[-1]
    add_constant(embeddings, constant)
    head = parts(model).layers[0].self_attn.head_dim
    content = directions[:head]  # (D, C) what a token is
    notes = directions[-1 - head : -1]  # (D, C) where hardly any embedding has anything: room for the notes
    set_previous_token(model, constant, content, notes)
    set_match(model, constant, content, notes)


def parts(model: LlamaForCausalLM) -> Any:
    """The decoder; torch types its children as Module | Tensor, which says nothing."""
    return model.model


def principal_directions(embeddings: Tensor) -> Tensor:
    centred = embeddings - embeddings.mean(0)
    return torch.linalg.svd(centred, full_matrices=False).Vh


def add_constant(embeddings: Tensor, constant: Tensor) -> None:
    """The same for every token, so it changes no output: it gives a head something that is always there."""
    embeddings -= torch.outer(embeddings @ constant, constant)
    embeddings += CONSTANT * embeddings.norm(dim=1).mean() * constant


def inputs(model: LlamaForCausalLM, layer: int) -> Tensor:
    """(N, C) what the attention of `layer` is given for random text, first tokens left out."""
    tokens = torch.randint(model.config.vocab_size, (32, 48), generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []
    norm = parts(model).layers[layer].input_layernorm
    handle = norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    parts(model)(input_ids=tokens, use_cache=False)
    handle.remove()
    return seen[0][:, 1:].flatten(0, 1)


def set_previous_token(model: LlamaForCausalLM, constant: Tensor, content: Tensor, notes: Tensor) -> None:
    """Position t looks at t - 1, whatever stands there, and notes its content."""
    attention = parts(model).layers[0].self_attn
    head, angles = content.shape[0], parts(model).rotary_emb.inv_freq
    given = inputs(model, 0)
    fast = [i for i, angle in enumerate(angles.tolist()) if angle >= FAST]
    steepness = sum(1 - torch.cos(angles[i]) for i in fast)
    amplitude = (SHARPNESS * head**0.5 / steepness).sqrt() / (given @ constant).mean()
    query, key = torch.zeros(head), torch.zeros(head)
    for i in fast:
        query[i] = amplitude
        key[i], key[i + head // 2] = amplitude * torch.cos(angles[i]), amplitude * torch.sin(angles[i])
    # The slowest pair takes the peak's height away again: else a key's length would count for more than its distance.
    query[head // 2 - 1], key[head // 2 - 1] = len(fast) ** 0.5 * amplitude, -(len(fast) ** 0.5) * amplitude
    attention.q_proj.weight[:head] = torch.outer(query, constant)
    attention.k_proj.weight[:head] = torch.outer(key, constant)
    attention.v_proj.weight[:head] = content
    length = parts(model).embed_tokens.weight.norm(dim=1).mean() / (given @ content.T).norm(dim=1).mean()
    attention.o_proj.weight[:, :head] = NOTE * length * notes.T


def set_match(model: LlamaForCausalLM, constant: Tensor, content: Tensor, notes: Tensor) -> None:
    """Position t looks for the place whose note is the token at t, and repeats the token there."""
    attention = parts(model).layers[1].self_attn
    head, angles = content.shape[0], parts(model).rotary_emb.inv_freq.tolist()
    slow = [i for i, angle in enumerate(angles) if angle < SLOW]
    rows = [*slow, *(i + head // 2 for i in slow)]
    given = inputs(model, 1)
    gain = (MATCH * head**0.5 / len(rows)) ** 0.5
    # Mixed at random, so that no direction in which few tokens lie far out decides alone (Johnson and Lindenstrauss).
    mixed = torch.linalg.qr(torch.randn(head, head, generator=torch.Generator().manual_seed(0))).Q[: len(rows)]
    for weight, directions in ((attention.q_proj.weight, content), (attention.k_proj.weight, notes)):
        weight[:head] = 0
        weight[rows] = gain * mixed @ whitened(given, directions, constant)
    attention.v_proj.weight[:head] = content
    length = parts(model).embed_tokens.weight.norm(dim=1).mean() / (given @ content.T).norm(dim=1).mean()
    attention.o_proj.weight[:, :head] = REPEAT * length * content.T


def whitened(given: Tensor, directions: Tensor, constant: Tensor) -> Tensor:
    """(R, C) rows that read `directions` from `given` with mean 0 and deviation 1; the constant serves as the bias."""
    read = given @ directions.T
    bias = read.mean(0) / (given @ constant).mean()
    return (directions - torch.outer(bias, constant)) / read.std(0)[:, None]
