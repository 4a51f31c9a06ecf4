"""`/api/v1/custom-ai`: the model that a key works with, in short calls."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.text import Usage, Wire

Size = Literal["small", "medium", "large"]


class InitModel(Wire):
    model: str | None = Field(default=None, description="a name out of /v1/models")
    size: Size | None = Field(default=None, description="without `model`: the newest model of this size")


class Train(Wire):
    """Beside these every other field is a hyperparameter of the trainer, `trainer` itself too."""

    model_config = ConfigDict(extra="allow")

    dataset: list[dict[str, Any]] | None = Field(default=None, min_length=1, description="the records themselves")
    file_id: str | None = Field(default=None, min_length=1, description="or an uploaded file of purpose fine-tune")
    model: str | None = Field(default=None, description="the base; without it the model of `init_model`")
    epochs: float | None = Field(default=None, gt=0)
    suffix: str | None = Field(default=None, min_length=1, max_length=64, description="becomes a part of its name")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.dataset is None) == (self.file_id is None):
            raise PydanticCustomError("one_source", "give either `dataset` or `file_id`")
        return self

    @property
    def hyperparameters(self) -> dict[str, Any]:
        chosen = dict(self.model_extra or {})
        return chosen if self.epochs is None else {"n_epochs": self.epochs, **chosen}


class Checkpoint(Wire):
    name: str = Field(min_length=1, max_length=100, description="of a published model")


class Generate(Wire):
    prompt: str = Field(min_length=1)
    max_length: int | None = Field(default=None, ge=1, description="at most this many tokens are written")


class Chat(Wire):
    message: str = Field(min_length=1)
    session_id: str | None = Field(default=None, min_length=1, max_length=100, description="go on with this chat")


class Generated(Wire):
    text: str
    model: str
    provider: str
    finish_reason: str
    usage: Usage


class Replied(Generated):
    session_id: str
