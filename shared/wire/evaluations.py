"""`/api/v1/evaluations`: a data set and one or two models go in, a report comes out."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.text import Wire

Status = Literal["queued", "running", "completed", "failed"]


class Asked(Wire):
    """A model, and who answers for it."""

    model: str | None = Field(default=None, description="default: the provider's")
    provider: str | None = Field(default=None, description="custom or openai; default: who answers as a rule")


class EvaluationRequest(Asked):
    against: Asked | None = Field(default=None, description="a second model, or the same one of another provider")
    file_id: str | None = Field(default=None, description="an uploaded data set: JSONL (also .gz), JSON or CSV")
    rows: list[dict[str, Any]] | None = Field(default=None, max_length=1000, description="a small data set itself")
    shadow: bool = Field(default=False, description="report what MODEL_SHADOW has compared, instead of asking anew")
    metrics: list[str] = Field(
        default=[], max_length=16, description="default: all that the rows have what it takes for"
    )
    limit: int = Field(default=200, ge=1, le=5000, description="rows, from the first")
    samples: int = Field(default=1, ge=1, le=100, description="answers to each problem of code, for pass@k")
    max_tokens: int = Field(default=512, ge=1, le=32_768, description="of an answer")
    temperature: float = Field(default=0.0, ge=0, le=2)
    raw: bool = Field(default=False, description="code: through completions, for models that were never taught to chat")


class EvaluationObject(Wire):
    id: str
    object: Literal["evaluation"] = "evaluation"
    created: int
    status: Status
    request: dict[str, Any]
    """As it was sent, without its rows."""
    done: int
    total: int
    """Questions that were asked, and that there are."""
    error: str | None = None
    report: dict[str, Any] | None = None
    """Once it is completed; left out of lists."""


class EvaluationList(Wire):
    object: Literal["list"] = "list"
    data: list[EvaluationObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
