"""Tools of a chat: what may be called, what has to be, and the calls themselves."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.wire.text import Wire

MAX_TOOLS = 128
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(Wire):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = Field(None, description="a JSON schema; left out: no arguments")
    strict: bool | None = Field(None, description="a schema that cannot be enforced is refused, not followed loosely")


class GrammarDefinition(Wire):
    syntax: Literal["lark", "regex"]
    definition: str = Field(min_length=1, max_length=64_000)


class CustomFormat(Wire):
    type: Literal["text", "grammar"]
    grammar: GrammarDefinition | None = None


class Custom(Wire):
    name: Name
    description: str | None = None
    format: CustomFormat | None = None


def _offered(value: str) -> str:
    if value not in ("function", "custom"):
        raise PydanticCustomError("not_offered", "there is no tool of the type {type} here", {"type": value})
    return value


Kind = Annotated[str, AfterValidator(_offered)]


class Tool(Wire):
    """`function` or `custom`, as `type` says."""

    type: Kind
    function: Function | None = None
    custom: Custom | None = None

    @property
    def name(self) -> str:
        named = self.function or self.custom
        return named.name if named else ""


class Named(Wire):
    name: str


class ToolReference(Wire):
    type: Kind
    function: Named | None = None
    custom: Named | None = None

    @property
    def name(self) -> str:
        named = self.function or self.custom
        return named.name if named else ""


class AllowedTools(Wire):
    mode: Literal["auto", "required"]
    tools: list[ToolReference] = Field(min_length=1)


class ToolChoice(Wire):
    """One tool by name, or `allowed_tools`."""

    type: Literal["function", "custom", "allowed_tools"]
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class FunctionCall(Wire):
    name: str
    arguments: str


class CustomCall(Wire):
    name: str
    input: str


class ToolCall(Wire):
    """Of an assistant's message, asked or answered."""

    id: str
    type: Literal["function", "custom"] = "function"
    function: FunctionCall | None = None
    custom: CustomCall | None = None
