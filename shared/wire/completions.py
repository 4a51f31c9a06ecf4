"""`POST /v1/completions`: the request and the answer (a chunk of its stream has the same shape)."""

from typing import Literal

from pydantic import Field

from shared.wire.text import FinishReason, NeverOffered, NotOffered, OnlyOne, TextRequest, Usage, Wire

TokenIds = list[int]


class CompletionRequest(TextRequest):
    """`suffix` is a hint without effect, as unknown fields are."""

    prompt: str | list[str] | TokenIds | list[TokenIds] = Field(min_length=1)
    max_tokens: int | None = Field(16, ge=1)
    best_of: OnlyOne = None
    echo: NotOffered = None
    logprobs: NeverOffered = None


class CompletionChoice(Wire):
    index: int
    text: str
    logprobs: None = None
    finish_reason: FinishReason | None


class Completion(Wire):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None
