"""`/v1/models`: what OpenAI's object has, and what a service of ours adds."""

from typing import Literal

from shared.wire.text import Wire


class ModelObject(Wire):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "in-house"
    base: str | None = None
    """The model under a LoRA adapter; None for a whole model."""


class ModelDetails(ModelObject):
    family: str
    parameters: int
    dtype: str
    context_length: int
    vocab_size: int
    loaded: bool


class ModelList(Wire):
    object: Literal["list"] = "list"
    data: list[ModelObject]


class ModelDeleted(Wire):
    id: str
    object: Literal["model"] = "model"
    deleted: bool = True
