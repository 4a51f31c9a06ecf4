"""`/api/v1/designs` and the text service's `/generate`: a brief comes in, a design goes out."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.text import Wire

MAX_KINDS = 8


class DesignRequest(Wire):
    prompt: str = Field(description="what the ad should say, in your own words")
    platform: str = Field(description="meta, facebook, instagram, linkedin, pinterest, google, youtube, tiktok or x")
    format: str = Field(description="square, portrait, story or landscape, as far as the platform has it")
    model: str | None = Field(default=None, description="default: the platform's own model, else the text default")
    elements: list[str] = Field(default=["text"], min_length=1, max_length=MAX_KINDS, description="text, rect, image")
    explain: bool = Field(default=False, description="add which words of the brief led to palette, layout and copy")


class DesignObject(Wire):
    id: str
    object: Literal["design"] = "design"
    created: int
    prompt: str
    platform: str
    format: str
    width: int
    height: int
    design: dict[str, Any]
    """The spec; see FEATURES of the design spec."""
    model: str
    provider: str
    accepted: bool | None = None
    """None until somebody gave feedback."""
    edited_spec: dict[str, Any] | None = None
    explanation: dict[str, Any] | None = None
    """Only in the answer to a request with `explain`."""


class DesignList(Wire):
    """OpenAI's page: ask on with `after=<last_id>` while `has_more`."""

    object: Literal["list"] = "list"
    data: list[DesignObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Feedback(Wire):
    accepted: bool
    edited_spec: dict[str, Any] | None = Field(default=None, description="the design as a person changed it")
