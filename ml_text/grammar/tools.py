"""Tool calls as a grammar: an answer is text or calls, and what a call holds follows its tool's own schema or grammar.

A call is written as models of the Hermes line write it (https://github.com/NousResearch/Hermes-Function-Calling):

    <tool_call>
    {"name":"get_weather","arguments":{"city":"Porto"}}
    </tool_call>

A custom tool has `"input"`, a JSON string, in the place of the arguments; with a grammar of its own, the name alone and
its raw words on the lines below.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from ml_text.grammar.schema import ANY_OBJECT, schema_text
from shared.errors import InvalidRequest

OPEN, CLOSE = "<tool_call>\n", "\n</tool_call>"
MAX_CALLS = 8
"""In one answer."""
WHITESPACE: Any = {
    "whitespace_flexible": False,
    "item_separator": ",",
    "key_separator": ":",
    "lenient": False,
    "coerce_one_of": False,
}
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class CallShape:
    """What a call of one tool looks like. `param` names the tool in an error."""

    name: str
    kind: Literal["function", "custom"]
    param: str
    schema: dict[str, Any] | None = None
    """Of a function's arguments."""
    strict: bool = False
    syntax: Literal["lark", "regex"] | None = None
    definition: str = ""
    """Of a custom tool's input; without a syntax any text."""

    @property
    def head(self) -> str:
        """Everything up to what the model writes freely."""
        named = f'{OPEN}{{"name":{json.dumps(self.name)}'
        if self.kind == "function":
            return f'{named},"arguments":'
        return f"{named}}}\n" if self.syntax else f'{named},"input":'

    @property
    def tail(self) -> str:
        return CLOSE if self.syntax else f"}}{CLOSE}"


@dataclass(frozen=True)
class CallPlan:
    """What an answer may be: calls of `shapes`, and text too unless a call is `required`."""

    shapes: tuple[CallShape, ...]
    required: bool
    parallel: bool
    text_format: dict[str, Any] | None = None
    """The `response_format` that text has to follow."""


def calls_source(plan: CallPlan) -> str:
    """The grammar for llguidance. InvalidRequest naming the tool whose schema or grammar cannot be enforced."""
    grammars: list[dict[str, str]] = []
    lines = [f"call: {' | '.join(f'tool_{place}' for place in range(len(plan.shapes)))}"]
    more = f'("\\n" call){{0,{MAX_CALLS - 1}}}' if plan.parallel else ""
    lines.append(f"calls: call {more}")
    for place, shape in enumerate(plan.shapes):
        body = f"body_{place}"
        lines.append(f"tool_{place}: {_literal(shape.head)} {body} {_literal(shape.tail)}")
        if shape.syntax:
            grammars.append({"name": f"custom_{place}", "lark_grammar": _own(shape)})
            lines.append(f"{body}: @custom_{place}")
        else:
            lines.append(f"{body}: %json {_json(shape)}")
    lines += _start(plan)
    return json.dumps({"grammars": [{"name": "answer", "lark_grammar": "\n".join(lines)}, *grammars]})


def _start(plan: CallPlan) -> list[str]:
    if plan.required:
        return ["start: calls"]
    if plan.text_format and plan.text_format.get("type") != "text":
        schema = json.loads(schema_text(plan.text_format))
        return ["start: text | calls", f"text: %json {json.dumps({**schema, 'x-guidance': WHITESPACE})}"]
    # text must not begin as a call does, so that one can be told from the other by its first characters
    begins = OPEN.strip()
    return ["start: TEXT | calls", f"TEXT: /(?s:.*)/ & ~/(?s:{begins}.*)/"]


def _json(shape: CallShape) -> str:
    if shape.kind == "custom":
        return json.dumps({"type": "string", "x-guidance": WHITESPACE})
    schema = NO_ARGUMENTS if shape.schema is None else shape.schema
    try:
        enforced = json.loads(schema_text({"type": "json_schema", "json_schema": {"schema": schema}}))
    except InvalidRequest as error:
        if shape.strict:
            why = str(error).removeprefix("response_format: ")
            raise InvalidRequest(f"{shape.param}: {why}", param=shape.param) from error
        enforced = ANY_OBJECT  # not strict: OpenAI promises no more than JSON either
    return json.dumps({**enforced, "x-guidance": WHITESPACE})


def _own(shape: CallShape) -> str:
    if shape.syntax == "lark":
        return shape.definition
    pattern = shape.definition.replace("/", r"\/").replace("\n", r"\n")
    return f"start: INPUT\nINPUT: /{pattern}/"


def _literal(text: str) -> str:
    return json.dumps(text)
