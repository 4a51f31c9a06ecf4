"""`/v1/models`: what OpenAI's object has, and what a service of ours adds."""

from typing import Any, Literal

from pydantic import Field

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
    context_length: int | None = None
    """Tokens; None for a model that does not read text."""
    vocab_size: int | None = None
    loaded: bool


class ModelList(Wire):
    object: Literal["list"] = "list"
    data: list[ModelObject]


class ModelDeleted(Wire):
    id: str
    object: Literal["model"] = "model"
    deleted: bool = True


class ModelVersion(Wire):
    """One version of a published model, and how it was made."""

    id: str
    """A name that always means this version."""
    object: Literal["model.version"] = "model.version"
    model: str
    version: str
    number: int | None
    """None for one from before versions had numbers."""
    created: int
    served: bool
    """Whether this is what the model's name means now."""
    base: str | None = None
    parent: str | None = None
    """The version that training began with."""
    method: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    dataset_sha256: str | None = None
    metrics: dict[str, Any] = Field(default_factory=dict[str, Any])
    duration_s: float | None = None


class ModelVersionList(Wire):
    """The newest first."""

    object: Literal["list"] = "list"
    data: list[ModelVersion]


class SavedName(Wire):
    name: str = Field(min_length=1, max_length=100)
    """The model is published under it."""


class Promotion(Wire):
    version: str
    """A number or an id of the model's versions."""
