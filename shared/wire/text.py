"""What chat and completions have in common: sampling, limits, streaming, usage."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

MAX_STOPS = 4
MAX_CHOICES = 16
"""Each is a row of the batch: half of the rows that run by default."""


def _refuse(value: object) -> object:
    """Nothing asked for (None, false, 0, empty) is fine; anything else is refused."""
    if value:
        raise PydanticCustomError("not_offered", "is not offered here; leave it out")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else ([] if value is None else value)


def _token_ids(value: object) -> object:
    """JSON has only strings as keys; token ids are integers."""
    if not isinstance(value, dict):
        return value
    try:
        return {int(key): bias for key, bias in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    except ValueError:
        raise PydanticCustomError("token_id", "the keys must be token ids") from None


NotOffered = Annotated[Any, AfterValidator(_refuse)]
"""A field that would change the answer and is not built: falsy values pass, others are a 400 that names it."""
Stops = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_list), Field(max_length=MAX_STOPS)]
LogitBias = Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]], BeforeValidator(_token_ids)]


class Wire(BaseModel):
    """Types are meant as written ("1" is no number), numbers are finite, unknown fields are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


class StreamOptions(Wire):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ResponseFormat(Wire):
    """`json_schema` is OpenAI's object: `name`, `schema`, `strict`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "json_schema" and not isinstance((self.json_schema or {}).get("schema"), dict):
            raise PydanticCustomError("json_schema", "type json_schema needs json_schema.schema, an object")
        return self


class TextRequest(Wire):
    """The fields that both text requests share; `top_k`, `repetition_penalty` and beam search are ours."""

    model: str | None = None
    max_tokens: int | None = Field(None, ge=1, description="upper bound of tokens to generate")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1, description="keep the k likeliest tokens; 0 or -1 for all")
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: LogitBias | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stops = Field(default_factory=list[str], description="at most 4; they never reach the client")
    response_format: ResponseFormat | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES, description="answers to the same request")
    use_beam_search: bool | None = Field(None, description="search for the likeliest answer instead of drawing one")
    num_beams: int | None = Field(
        None, ge=1, le=MAX_CHOICES, description="answers that are followed at once; above 1 it means use_beam_search"
    )
    length_penalty: float | None = Field(
        None, ge=-10, le=10, description="of beam search: above 0 longer answers gain, below 0 shorter ones"
    )
    early_stopping: bool | Literal["never"] | None = Field(
        None, description="of beam search: true ends it with num_beams finished answers, never looks on to the end"
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the stream is to end with a usage chunk."""
        return bool(self.stream and self.stream_options and self.stream_options.include_usage)


class PromptTokensDetails(Wire):
    cached_tokens: int = 0
    audio_tokens: int = 0


class CompletionTokensDetails(Wire):
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class Usage(Wire):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails = PromptTokensDetails()
    completion_tokens_details: CompletionTokensDetails = CompletionTokensDetails()


FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
