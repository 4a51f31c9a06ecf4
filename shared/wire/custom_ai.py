"""`/api/v1/custom-ai`: the model that a key works with, in short calls."""

from typing import Literal

from pydantic import Field

from shared.wire.text import Usage, Wire

Size = Literal["small", "medium", "large"]


class InitModel(Wire):
    model: str | None = Field(default=None, description="a name out of /v1/models")
    size: Size | None = Field(default=None, description="without `model`: the newest model of this size")


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
