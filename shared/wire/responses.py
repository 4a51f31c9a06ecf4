"""`/v1/responses`: the request. Items, tools and formats are OpenAI's objects, read in `gateway/responses/items.py`."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.text import NotOffered, Wire

MAX_ITEMS = 10_000


class TextOptions(Wire):
    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponseRequest(Wire):
    """`background`, `conversation` and `prompt` are refused; `reasoning`, `truncation` and `include` are hints."""

    model: str | None = None
    input: str | list[dict[str, Any]] = Field(min_length=1, max_length=4 * 2**20)
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    stream: bool | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    background: NotOffered = None
    conversation: NotOffered = None
    prompt: NotOffered = None
    top_logprobs: NotOffered = None
    max_tool_calls: NotOffered = None


class ResponseDeleted(Wire):
    id: str
    object: Literal["response"] = "response"
    deleted: bool = True
