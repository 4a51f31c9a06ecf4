"""One forward pass of a transformers model over a slot cache."""

from typing import Any, Protocol

from torch import Tensor

from ml_text.slots import Place, SlotCache, mask


class RowCache(Protocol):
    """What a model remembers of the requests in flight, one row each."""

    @property
    def rows(self) -> Tensor:
        """(S,) their numbers, on the model's device."""
        ...

    def reserve(self, slots: int, length: int, source: int = 0) -> None: ...
    def move(self, source: int, target: int, length: int) -> None: ...
    def reorder(self, parents: Tensor, length: int) -> None: ...


class Forward(Protocol):
    """Logits (B, keep, V) float32 of each row's last `keep` positions; `ids` is (B, Q). `cache` is the model's kind."""

    def __call__(self, ids: Tensor, place: Place, cache: Any, keep: int = 1) -> Tensor: ...


def forward_of(model: Any, windows: str) -> Forward:
    """`windows` is the family's: the mask is made here, so a sliding window holds whatever the cache keeps."""
    window = getattr(model.config, "sliding_window", None) if windows != "none" else None

    def forward(ids: Tensor, place: Place, cache: SlotCache, keep: int = 1) -> Tensor:
        cache.place = place
        positions = place.positions(ids.device)
        masks: Any = mask(positions, place.length, window if windows == "all" else None)
        if windows == "by layer":
            masks = {"full_attention": masks, "sliding_attention": mask(positions, place.length, window)}
        output = model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=masks,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        return output.logits.float()

    return forward
