"""`/v1/responses`: requests and answers. Items, tools and formats are OpenAI's objects, read in `gateway/responses`."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.stored import Metadata
from shared.wire.text import NotOffered, Wire

Input = str | list[dict[str, Any]]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class TextOptions(Wire):
    format: dict[str, Any] | None = Field(None, description="text, json_object, or json_schema with name and schema")
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Wire):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ConversationRef(Wire):
    id: str


class StreamHints(Wire):
    include_obfuscation: bool | None = None


class PromptRequest(Wire):
    """All that the model is to read."""

    model: str | None = None
    input: Input | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationRef | None = Field(None, description="its items come before the input")
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | None = Field(
        None, description="auto: the oldest messages are left out where the context is too short for all"
    )

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, ConversationRef) else self.conversation


class ResponseRequest(PromptRequest):
    """`prompt`, `moderation` and `context_management` are refused; what is not listed is a hint without effect."""

    max_output_tokens: int | None = Field(None, ge=1)
    max_tool_calls: int | None = Field(None, ge=1, description="of hosted tools, which are not here")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    include: list[str] | None = Field(None, description="message.output_text.logprobs has an effect")
    stream: bool | None = None
    stream_options: StreamHints | None = None
    background: bool | None = Field(None, description="answer at once, and go on without the client; needs `store`")
    store: bool | None = None
    metadata: Metadata | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt: NotOffered = None
    moderation: NotOffered = None
    context_management: NotOffered = None


class CachedTokens(Wire):
    cached_tokens: int
    cache_write_tokens: int


class ReasoningTokens(Wire):
    reasoning_tokens: int


class ResponseUsage(Wire):
    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class ResponseObject(Wire):
    """OpenAI's Response; keys that are always null here are not listed."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: bool
    conversation: ConversationRef | None
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[dict[str, Any]]
    parallel_tool_calls: bool
    previous_response_id: str | None
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None


class ResponseDeleted(Wire):
    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


class InputTokens(Wire):
    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int


class CompactedResponse(Wire):
    id: str
    object: Literal["response.compaction"] = "response.compaction"
    created_at: int
    output: list[dict[str, Any]]
    usage: ResponseUsage


class Item(Wire):
    """OpenAI's object of this type, with all its fields."""

    id: str
    type: str


class ItemList(Wire):
    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool
