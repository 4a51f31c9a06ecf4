"""Linear layers whose weights are laid out once as oneDNN wants them, instead of at every call. Inference only, CPU only.

They also give each row the same bits whatever the number of rows, which torch's float32 matrix product (MKL) does not
below 16 rows; so a seed gives the same text alone and in company.
"""

import torch
from torch import Tensor, nn

BATCH_HINT = 16
"""Rows that the layout is chosen for; it serves any number."""


class PackedLinear(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """`weight` is (out, in)."""
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("bias", bias, persistent=False)
        # no buffer: an opaque tensor that neither moves nor converts
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), BATCH_HINT)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out)."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def prepack(model: nn.Module) -> bool:
    """Replace every linear layer in place; False, and nothing done, where oneDNN is missing or the model is elsewhere."""
    from transformers.pytorch_utils import Conv1D

    first = next(model.parameters())
    if not torch.backends.mkldnn.is_available() or first.device.type != "cpu" or first.dtype == torch.float16:
        return False
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, PackedLinear(child.weight, child.bias))
            elif type(child) is Conv1D:
                setattr(parent, name, PackedLinear(child.weight.t(), child.bias))
    return True
