"""Matrices in 4 bits, where there is no GPU: diffusers' own way to load in 4 bits asks for one, which bitsandbytes no
longer does.
"""

from bitsandbytes.nn.modules import Linear4bit
from torch import nn


def hold_in_4_bits(network: nn.Module) -> None:
    """Its matrices become NormalFloat4 (https://arxiv.org/abs/2305.14314, section 3), where they are."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                bias = layer.bias is not None
                small = Linear4bit(
                    layer.in_features, layer.out_features, bias, compute_dtype=layer.weight.dtype, quant_type="nf4"
                )
                small.load_state_dict(layer.state_dict())
                setattr(parent, name, small.to(layer.weight.device).requires_grad_(False))
