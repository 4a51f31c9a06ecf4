"""Tool calls from random weights: valid by the tool's own schema or grammar, for every tool_choice."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.testclient import TestClient

from ml_text.calls import CallReader, read_message
from ml_text.grammar import CallPlan, CallShape
from ml_text.prompts import chat_ids
from ml_text.serve import create_service
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from tests.unit.ml_text.conftest import _tokenizer, build_model
from tests.unit.services import ready, settings_in

ASK = [{"role": "user", "content": "what is the weather in Porto"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "unit": {"enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
BOOK = {
    "type": "object",
    "properties": {
        "seats": {"type": "integer", "minimum": 1, "maximum": 9},
        "guests": {"type": "array", "items": {"$ref": "#/$defs/guest"}, "maxItems": 2},
    },
    "required": ["seats", "guests"],
    "additionalProperties": False,
    "$defs": {
        "guest": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 8}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS = {"get_weather": WEATHER, "book": BOOK, "stop": {"type": "object", "maxProperties": 0}}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}},
    {"type": "function", "function": {"name": "book", "description": "a table", "parameters": BOOK}},
    {"type": "function", "function": {"name": "stop"}},
]
LARK = 'start: "SELECT " NAME (", " NAME){0,2} " FROM t"\nNAME: /[a-z]{1,5}/'
CUSTOM = [
    {"type": "custom", "custom": {"name": "note", "description": "any text"}},
    {
        "type": "custom",
        "custom": {
            "name": "when",
            "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[0-9]{2}/[0-9]{2}"}},
        },
    },
    {
        "type": "custom",
        "custom": {
            "name": "query",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": LARK}},
        },
    },
]
INPUTS = {"note": r"(?s).*", "when": r"[0-9]{2}/[0-9]{2}", "query": r"SELECT [a-z]{1,5}(, [a-z]{1,5}){0,2} FROM t"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_model(max_position_embeddings=2048).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    made = settings_in(folder.parent / "data", TextSettings, dtype="float32")
    sources = Sources(made)
    with ready(create_service(made, sources, sources.fetch(str(folder)).name)) as client:
        yield client


def ask(client: TestClient, **more: Any) -> Any:
    body = {"messages": ASK, "tools": TOOLS, "temperature": 1.5, "max_tokens": 300, **more}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    ChatCompletion.model_validate(answer.json())
    return answer.json()


def check(choice: Any) -> list[str]:
    """The names of the tools that were called, rightly."""
    message = choice["message"]
    assert choice["finish_reason"] == "tool_calls" and message["content"] is None
    ids = [call["id"] for call in message["tool_calls"]]
    assert len(set(ids)) == len(ids) and all(id.startswith("call_") for id in ids)
    names: list[str] = []
    for call in message["tool_calls"]:
        body = call[call["type"]]
        names.append(body["name"])
        if call["type"] == "function":
            assert set(call) == {"id", "type", "function"}
            jsonschema.validate(json.loads(body["arguments"]), SCHEMAS[body["name"]])
        else:
            assert re.fullmatch(INPUTS[body["name"]], body["input"]), body
    return names


def test_a_call_is_required(client: TestClient) -> None:
    called = [check(ask(client, tool_choice="required", seed=seed)["choices"][0]) for seed in range(12)]
    assert {name for names in called for name in names} == set(SCHEMAS), "random weights call all of them"
    assert max(map(len, called)) > 1, "and several at once"
    alone = [
        check(ask(client, tool_choice="required", seed=seed, parallel_tool_calls=False)["choices"][0])
        for seed in range(6)
    ]
    assert {len(names) for names in alone} == {1}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_tool_by_its_name(client: TestClient, name: str) -> None:
    choice = {"type": "function", "function": {"name": name}}
    for answer in ask(client, tool_choice=choice, n=4, seed=1)["choices"]:
        assert check(answer) == [name]


def test_allowed_tools(client: TestClient) -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "book"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    for answer in ask(client, tool_choice=choice, n=4, seed=1)["choices"]:
        assert set(check(answer)) == {"book"}


@pytest.mark.parametrize("name", INPUTS)
def test_custom_tools(client: TestClient, name: str) -> None:
    choice = {"type": "custom", "custom": {"name": name}}
    for answer in ask(client, tools=CUSTOM, tool_choice=choice, n=4, seed=1)["choices"]:
        assert check(answer) == [name]


def test_functions_and_custom_tools_beside_each_other(client: TestClient) -> None:
    called = [
        check(ask(client, tools=[*TOOLS, *CUSTOM], tool_choice="required", seed=seed)["choices"][0])
        for seed in range(16)
    ]
    assert {name for names in called for name in names} & set(INPUTS)


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_what_need_not_be_called_is_text(client: TestClient, choice: Any) -> None:
    """Random weights never begin a call of their own accord."""
    answer = ask(client, tool_choice=choice, max_tokens=20, seed=2)["choices"][0]
    assert answer["message"]["content"] and "tool_calls" not in answer["message"]
    assert answer["finish_reason"] in ("length", "stop")


def test_text_beside_tools_can_have_a_schema(client: TestClient) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER, "strict": True}}
    answer = ask(client, response_format=wanted, seed=2)["choices"][0]
    if answer["finish_reason"] != "tool_calls":
        jsonschema.validate(json.loads(answer["message"]["content"]), WEATHER)


@pytest.mark.parametrize("tools", [TOOLS, CUSTOM], ids=["functions", "custom"])
@pytest.mark.parametrize("seed", range(4))
def test_a_stream_says_the_same(client: TestClient, tools: Any, seed: int) -> None:
    body = {"messages": ASK, "tools": tools, "tool_choice": "required", "temperature": 1.5, "max_tokens": 300}
    whole = ask(client, **body, seed=seed)["choices"][0]
    answer = client.post("/v1/chat/completions", json={**body, "seed": seed, "stream": True})
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    for chunk in chunks:
        if tools is TOOLS:  # the SDK's type of a streamed call knows functions only
            ChatCompletionChunk.model_validate(chunk)
    made: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()):
            if call["index"] not in made:
                kind = call["type"]
                assert call["id"] and call[kind]["name"] and not call[kind].get("arguments")
                made[call["index"]] = {"type": kind, **call[kind]}
            else:
                assert set(call) == {"index", made[call["index"]]["type"]}
                for key, piece in call[made[call["index"]]["type"]].items():
                    made[call["index"]][key] += piece
        assert not chunk["choices"][0]["delta"].get("content")
    said = [{"type": call["type"], **call[call["type"]]} for call in whole["message"]["tool_calls"]]
    assert list(made.values()) == said
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks][-1] == "tool_calls"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, "tools[1]"),
        ({"tools": None, "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "nope"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": "any"}, "tool_choice"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "strict": True, "parameters": {"not": {}}}}]},
            "tools[0].function.parameters",
        ),
        ({"messages": [{"role": "tool", "content": "4"}]}, "messages[0]"),
        ({"functions": [{"name": "a"}]}, "functions"),
    ],
)
def test_what_cannot_be_is_refused(client: TestClient, more: Any, param: str) -> None:
    body = {"messages": ASK, "tools": TOOLS, "max_tokens": 300, **more}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param, answer.text


@pytest.mark.parametrize(
    ("syntax", "definition"),
    [("lark", "start: nope"), ("lark", "start ="), ("regex", "(a")],
)
def test_a_bad_grammar_is_refused_soon(client: TestClient, syntax: str, definition: str) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    tools = [{"type": "custom", "custom": {"name": "x", "format": grammar}}]
    began = time.monotonic()
    answer = client.post("/v1/chat/completions", json={"messages": ASK, "tools": tools, "tool_choice": "required"})
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("tools"), answer.text
    assert time.monotonic() - began < 20


def test_a_hostile_grammar_takes_no_more_than_its_share(client: TestClient) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "(a{1,1000}){1,1000}(b?){50}b{50}"}}
    tools = [{"type": "custom", "custom": {"name": "x", "format": grammar}}]
    body = {"messages": ASK, "tools": tools, "tool_choice": "required", "max_tokens": 100}
    began = time.monotonic()
    assert client.post("/v1/chat/completions", json=body).status_code in (200, 400)
    assert time.monotonic() - began < 60
    assert ask(client, max_tokens=5)["choices"]


def test_what_is_not_strict_and_cannot_be_enforced_is_still_an_object(client: TestClient) -> None:
    tools = [{"type": "function", "function": {"name": "a", "parameters": {"type": "object", "not": {}}}}]
    (call,) = ask(client, tools=tools, tool_choice="required", parallel_tool_calls=False)["choices"][0]["message"][
        "tool_calls"
    ]
    assert isinstance(json.loads(call["function"]["arguments"]), dict)


PAST = [
    {"role": "user", "content": "weather?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "function": {"name": "w", "arguments": {"a": 1}}}],
    },
    {"role": "tool", "content": "17 degrees", "tool_call_id": "c1"},
]


def test_a_function_is_given_only_what_it_names(client: TestClient) -> None:
    """As `price(**arguments)` in Python wants it, also where the schema does not say so."""
    schemas = {"price": {"type": "object", "properties": {"size": {"enum": ["s", "l"]}}, "required": ["size"]}}
    schemas["now"] = {"type": "object", "properties": {}}
    tools = [{"type": "function", "function": {"name": name, "parameters": schemas[name]}} for name in schemas]
    for seed in range(4):
        body = {"messages": ASK, "tools": tools, "tool_choice": "required", "temperature": 1.5, "seed": seed}
        answer = client.post("/v1/chat/completions", json={**body, "max_tokens": 300}).json()
        for call in answer["choices"][0]["message"]["tool_calls"]:
            named = {"size"} if call["function"]["name"] == "price" else set()
            assert set(json.loads(call["function"]["arguments"])) == named


def test_tools_and_past_calls_reach_a_model_whose_template_knows_none(tokenizer: Any) -> None:
    told = [{"type": "function", "function": {"name": "w", "description": "the weather"}}]
    text = tokenizer.decode(chat_ids(tokenizer, PAST, 2048, told))
    assert text.startswith("<|system|>You may call tools") and '"the weather"' in text
    assert '<|assistant|><tool_call>\n{"name":"w","arguments":{"a":1}}\n</tool_call><|end|>' in text
    assert "<|user|><tool_response>\n17 degrees\n</tool_response><|end|><|assistant|>" in text
    system = [{"role": "system", "content": "Be kind."}, *PAST]
    assert tokenizer.decode(chat_ids(tokenizer, system, 2048, told)).startswith("<|system|>Be kind.\n\nYou may call")


def test_a_template_that_knows_tools_is_left_to_it(tokenizer: Any) -> None:
    from copy import deepcopy

    knows = deepcopy(tokenizer)
    knows.chat_template = (
        "{% for t in tools %}[{{ t.function.name }}]{% endfor %}{% for m in messages %}({{ m.role }}"
        "{% for c in m.tool_calls or [] %}={{ c.function.arguments.a }}{% endfor %}:{{ m.content }}){% endfor %}"
    )
    told = [{"type": "function", "function": {"name": "w"}}]
    text = knows.decode(chat_ids(knows, PAST, 2048, told))
    assert text == "[w](user:weather?)(assistant=1:)(tool:17 degrees)"


def test_an_answer_torn_anywhere_reads_the_same() -> None:
    shapes = (CallShape("f", "function", "tools[0]"), CallShape("q", "custom", "tools[1]", syntax="lark"))
    plan = CallPlan(shapes, False, True)
    text = (
        '<tool_call>\n{"name":"f","arguments":{"a":"}\\n</tool_call>"}}\n</tool_call>'
        '\n<tool_call>\n{"name":"q"}\nSELECT 1\n</tool_call>'
    )
    whole = read_message(text, plan)
    assert whole.content is None and whole.tool_calls is not None
    assert [(call.function or call.custom) for call in whole.tool_calls]
    for size in range(1, 40):
        reader = CallReader(plan)
        bodies: dict[int | None, str] = {}
        for at in range(0, len(text), size):
            for piece in reader.feed(text[at : at + size]):
                bodies[piece.call] = bodies.get(piece.call, "") + piece.piece
        assert list(reader.finish()) == [] and reader.made == 2
        assert bodies == {0: '{"a":"}\\n</tool_call>"}', 1: "SELECT 1"}
    assert read_message("<tool is a word", plan).content == "<tool is a word"
