"""What a family of diffusion models is to the batcher."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Conditions = Mapping[str, "Tensor"]
"""What one pass through the network is told beside latents and time, each with a first dimension of rows."""


@dataclass(frozen=True)
class Wanted:
    """What the prompt's encoder has to know of a picture."""

    prompt: str
    negative: str
    guidance: float
    width: int
    height: int
    """In pixels."""


@dataclass(frozen=True)
class Family:
    network: str
    """The pipeline's component that denoises, and that adapters are put on: unet, transformer."""
    multiple: int
    """Width and height in pixels are multiples of it."""
    steps: int
    guidance: float
    """Unless the model or the request says otherwise."""
    encode: Callable[[Any, Wanted], list[Conditions]]
    """(pipeline, wanted) -> the conditions of each pass, one row each: [prompt], or [negative, prompt] to be guided."""
    predict: Callable[[Any, "Tensor", "Tensor", Conditions], "Tensor"]
    """(pipeline, latents (N, C, h, w), timesteps (N,), conditions of N rows) -> (N, C, h, w)."""
    adapted: tuple[str, ...]
    """Layers of the network that a new adapter is put on, by the ends of their names."""
    tokenizer: str
    """The component whose length limits a prompt."""
    tokens: int | None = None
    """That limit, where it is not the tokenizer's own."""
    negative: bool = True
    """Whether there is something to be told what not to show."""
    sigmas: Callable[[int], list[float]] | None = None
    """steps -> noise levels, where they are not the scheduler's."""
    quantized: tuple[str, ...] = ()
    """Components that `quantize` makes smaller."""
