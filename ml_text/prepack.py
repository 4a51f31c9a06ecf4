"""Linear layers whose weights are laid out once as the processor wants them, not at every call. CPU and inference only.

Both kinds give each row the same bits whatever the number of rows, which torch's own matrix products do not; so a seed
gives the same text alone and in company.
"""

from typing import Any

import torch
from torch import Tensor, nn

BATCH_HINT = 16
"""Rows that oneDNN's layout is chosen for; it serves any number."""
EXACT = 1e-6
"""Relative to the largest weight: what is lost in float16 below this is below float32's own rounding in the sum."""


class PackedLinear(nn.Module):
    """oneDNN's layout, in the weight's own precision."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """`weight` is (out, in)."""
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("bias", bias, persistent=False)
        # no buffer: an opaque tensor that neither moves nor converts
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), BATCH_HINT)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        if x.dtype == torch.bfloat16 and x.shape.numel() == self.in_features:
            # one row alone takes another kernel, whose sums round otherwise: it gets company
            return self._multiply(torch.cat([x, x]))[: len(x)]
        return self._multiply(x)

    def _multiply(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


class HalfLinear(nn.Module):
    """FBGEMM's layout: weights in float16, products and sums in float32. Half the memory to read, which is what takes
    the time. For weights that were stored in 16 bits nothing is lost."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """`weight` is (out, in)."""
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.weight = None  # T5 looks whether it is a tensor
        bias = None if bias is None else bias.detach().float()
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight.detach().float().contiguous(), bias)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) float32 to (…, out) float32."""
        return torch.ops.quantized.linear_dynamic_fp16(x, self.packed)


def fits_half(weight: Tensor) -> bool:
    """Whether float16 holds the weight as exactly as float32 needs it."""
    largest = weight.abs().max()
    return bool(largest < torch.finfo(torch.float16).max and (weight.half() - weight).abs().max() <= EXACT * largest)


def prepack(model: nn.Module, dtype: torch.dtype) -> bool:
    """Replace every linear layer in place and compute in `dtype` from then on.

    False, and nothing done, off the CPU, where torch was built without oneDNN, and in bfloat16 on a processor for which
    oneDNN has no layout of it.
    """
    from transformers.pytorch_utils import Conv1D

    off_cpu = next(model.parameters()).device.type != "cpu"
    if off_cpu or dtype == torch.float16 or not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    has_fbgemm = "fbgemm" in torch.backends.quantized.supported_engines
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            child: Any = layer
            if type(child) not in (nn.Linear, Conv1D):
                continue
            weight: Any = child.weight if type(child) is nn.Linear else child.weight.t()
            half = dtype == torch.float32 and has_fbgemm and fits_half(weight)
            bias = None if child.bias is None else child.bias.detach().to(dtype)
            setattr(parent, name, HalfLinear(weight, bias) if half else PackedLinear(weight.to(dtype), bias))
    model.to(dtype)
    return True
