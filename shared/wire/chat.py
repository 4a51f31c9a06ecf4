"""`POST /v1/chat/completions`: the request, the answer, a chunk of its stream."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.text import FinishReason, NotOffered, TextRequest, Usage, Wire
from shared.wire.tools import MAX_TOOLS, Tool, ToolCall, ToolChoice


def _text_only(value: list[str] | None) -> list[str] | None:
    if value and value != ["text"]:
        raise PydanticCustomError("not_offered", "only text is offered here")
    return value


class Part(Wire):
    """One piece of a message; pictures, sound and files are refused by a text model."""

    type: str
    text: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.type not in ("text", "refusal"):
            raise PydanticCustomError("part", "a text model cannot read a part of type {type}", {"type": self.type})
        if (self.text if self.type == "text" else self.refusal) is None:
            raise PydanticCustomError("part", "a part of type {type} needs the field {type}", {"type": self.type})
        return self


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = Field(None, description="of the call that a message of the role tool answers")
    function_call: NotOffered = None
    audio: NotOffered = None

    @property
    def text(self) -> str:
        """The whole content as one string."""
        if isinstance(self.content, list):
            return "".join(part.text or part.refusal or "" for part in self.content)
        return self.content or ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.role == "tool" and self.tool_call_id is None:
            raise PydanticCustomError("content", "a message of the role tool needs tool_call_id")
        if self.content is None and self.role != "assistant":
            raise PydanticCustomError("content", "a message of the role {role} needs content", {"role": self.role})
        return self


class ChatRequest(TextRequest):
    """OpenAI's chat request as far as a text model can honour it; hints without effect are not listed."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1, description="the newer name of max_tokens; it wins")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(
        None, ge=0, le=20, description="with logprobs: so many alternatives for each token"
    )
    tools: list[Tool] | None = Field(None, max_length=MAX_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: NotOffered = Field(None, description="the old name of tools")
    function_call: NotOffered = Field(None, description="the old name of tool_choice")
    modalities: Annotated[list[str] | None, AfterValidator(_text_only)] = None
    audio: NotOffered = None
    web_search_options: NotOffered = None

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


class AnswerMessage(Wire):
    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None

    @model_serializer(mode="wrap")
    def _calls_if_any(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """OpenAI leaves `tool_calls` out where there are none, and in a call the other kind's field."""
        sent: dict[str, Any] = dump(self)
        if self.tool_calls is None:
            del sent["tool_calls"]
        else:
            sent["tool_calls"] = [call.model_dump(exclude_none=True) for call in self.tool_calls]
        return sent


class TopLogprob(Wire):
    token: str
    logprob: float
    bytes: list[int] | None


class ChatTokenLogprob(TopLogprob):
    """In nats, of the model's own distribution: before temperature, penalties, bias or a grammar."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(Wire):
    content: list[ChatTokenLogprob] | None
    refusal: list[ChatTokenLogprob] | None = None


class Choice(Wire):
    index: int = 0
    message: AnswerMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason


class ChatCompletion(Wire):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None


class Delta(Wire):
    """What is not set is not sent: a first delta has `role`, later ones only `content`, the last one nothing."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None

    @model_serializer(mode="wrap")
    def _only_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}


class ChunkChoice(Wire):
    index: int = 0
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason | None = None


class ChatCompletionChunk(Wire):
    """With include_usage the last one has no choices and the usage, and the others say `usage: null`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    system_fingerprint: str | None = None

    @model_serializer(mode="wrap")
    def _usage_if_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        sent: dict[str, Any] = dump(self)
        if "usage" not in self.model_fields_set:
            del sent["usage"]
        return sent
