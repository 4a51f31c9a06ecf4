"""`/api/v1/shadow`: what two providers answered to the same request."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.text import Wire


class FirstSide(Wire):
    provider: str
    model: str
    answer: str | None = Field(description="the first choice's text, or its tool calls as JSON")
    latency_ms: float = Field(description="to the end of the answer")
    cost_usd: float | None = Field(description="null where the price table has no price")
    score: float | None = Field(description="0 to 1, of designs; null where nothing measures the answer")


class SecondSide(FirstSide):
    error: str | None = Field(description="the code of the failure, when there is no answer")


class ShadowRecord(Wire):
    """`first` is what the client got, `second` what the other provider said."""

    id: str
    object: Literal["shadow"] = "shadow"
    created: int
    path: str
    request: dict[str, Any]
    first: FirstSide
    second: SecondSide
    vote: Literal["first", "second", "tie"] | None = None


class ShadowList(Wire):
    """OpenAI's page: ask on with `after=<last_id>` while `has_more`."""

    object: Literal["list"] = "list"
    data: list[ShadowRecord]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ShadowVote(Wire):
    vote: Literal["first", "second", "tie"] | None = Field(description="the better answer; null takes a vote back")
