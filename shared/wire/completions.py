"""`POST /v1/completions`: the request and the answer (a chunk of its stream has the same shape)."""

from typing import Literal

from pydantic import Field

from shared.wire.text import MAX_CHOICES, FinishReason, TextRequest, Usage, Wire

TokenIds = list[int]


class CompletionRequest(TextRequest):
    """`suffix` is a hint without effect, as unknown fields are."""

    prompt: str | list[str] | TokenIds | list[TokenIds] = Field(min_length=1)
    max_tokens: int | None = Field(16, ge=0, description="0 with echo and logprobs scores the prompt")
    best_of: int | None = Field(None, ge=1, le=MAX_CHOICES, description="make so many, answer with the n likeliest")
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=5, description="so many alternatives for each token")


class CompletionLogprobs(Wire):
    """In nats, of the model's own distribution; the first token of an echoed prompt has none."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class CompletionChoice(Wire):
    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: FinishReason | None


class Completion(Wire):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None
