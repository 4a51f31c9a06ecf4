"""Structured output: always valid, always closed in time, refused by name, on every kind of tokenizer."""

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from ml_text.grammar import Grammar, GrammarCompiler, Guard
from ml_text.sampling import Sampler, Sampling
from shared.errors import InvalidRequest, ServiceError
from tests.unit.ml_text.small_tokenizers import byte_fallback, byte_level, unigram


def strict(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


PERSON = strict(name={"type": "string", "minLength": 1, "maxLength": 20}, email={"type": "string", "format": "email"})
PERSON["properties"]["boss"] = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/person"}]}
PERSON["required"].append("boss")
SCHEMAS: dict[str, dict[str, Any]] = {
    "nested": {
        **strict(
            id={"type": "string", "format": "uuid"},
            customer={"$ref": "#/$defs/person"},
            lines={
                "type": "array",
                "minItems": 1,
                "maxItems": 4,
                "items": strict(
                    sku={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                    qty={"type": "integer", "minimum": 1, "maximum": 99},
                ),
            },
        ),
        "$defs": {"person": PERSON},
    },
    "recursive": {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": strict(
                name={"type": "string", "maxLength": 8},
                children={"type": "array", "maxItems": 3, "items": {"$ref": "#/$defs/tree"}},
            )
        },
    },
    "enums": strict(a={"enum": ["draft", "sent", "paid"]}, b={"enum": [16, 24.5, -3]}, c={"const": {"k": [None, "é"]}}),
    "bounds": strict(
        tags={
            "type": "array",
            "minItems": 2,
            "maxItems": 5,
            "items": {"type": "string", "minLength": 2, "maxLength": 9},
        },
        pair={"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
    ),
    "formats": strict(
        **{
            kind.replace("-", "_"): {"type": "string", "format": kind}
            for kind in ("date", "time", "date-time", "email", "uuid", "ipv4", "ipv6", "hostname")
        }
    ),
    "any_of": strict(
        shape={
            "anyOf": [
                strict(kind={"const": "circle"}, radius={"type": "number", "exclusiveMinimum": 0}),
                strict(kind={"const": "text"}, lines={"type": "array", "minItems": 3, "items": {"type": "string"}}),
                {"type": ["string", "null"]},
            ]
        }
    ),
    "pattern": strict(
        text={
            "type": "string",
            "maxLength": 90,
            "pattern": r"^(?:20%|Blue Door|\$9\.99|St\. Mary's \"Inn\"|café|[a-z ,.'" + "\n" + "])+$",
        }
    ),
    "numbers": strict(
        x={"type": "integer", "minimum": 40, "maximum": 1040, "multipleOf": 20},
        y={"type": "number", "minimum": -1.5, "maximum": 1.5},
        z={"type": "number"},
        n={"type": "integer"},
    ),
    "optional": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "ab": strict(x={"type": "string"}), 'q"é': {"type": "null"}},
        "additionalProperties": {"type": "integer"},
        "required": ["ab"],
    },
}


@cache
def compiler(
    build: Callable[[], PreTrainedTokenizerFast] = byte_level,
) -> tuple[PreTrainedTokenizerFast, GrammarCompiler]:
    tokenizer = build()
    return tokenizer, GrammarCompiler(tokenizer)


def compiled(schema: dict[str, Any], build: Any = byte_level) -> Grammar:
    return compiler(build)[1].compile({"type": "json_schema", "json_schema": {"name": "it", "schema": schema}})


def written(guard: Guard, seed: int, build: Any = byte_level, scale: float = 3.0) -> tuple[str, int]:
    """A document from random logits at temperature 1.5, and its tokens."""
    tokenizer, grammars = compiler(build)
    size = grammars.vocabulary.size
    sampler, random = Sampler(Sampling(temperature=1.5, seed=seed), size), torch.Generator().manual_seed(seed)
    output: list[int] = []
    while not guard.done:
        scores = torch.randn(size, generator=random) * scale
        output.append(guard.admit(sampler.pick(scores, [], output, guard.mask())))
    ids = [token for token in output if token != tokenizer.eos_token_id]
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False)), len(output)


def check(text: str, schema: dict[str, Any]) -> None:
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(json.loads(text))
    assert (
        text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False) or "." in text or "\\" in text
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_random_logits_write_valid_documents_in_any_budget(name: str) -> None:
    schema = SCHEMAS[name]
    grammar = compiled(schema)
    need = grammar.min_tokens
    for seed, budget in enumerate((need, need + 1, need + 7, 2 * need, 256, 512)):
        if budget >= need:
            text, tokens = written(grammar.start(budget), seed)
            assert tokens <= budget
            check(text, schema)


@pytest.mark.parametrize("build", [byte_fallback, unigram])
@pytest.mark.parametrize("name", ["nested", "enums", "numbers", "bounds", "any_of"])
def test_other_tokenizers(build: Any, name: str) -> None:
    schema = dict(SCHEMAS[name])
    if build is unigram:  # it has no é
        schema = json.loads(json.dumps(schema).replace("\\u00e9", "e"))
    grammar = compiled(schema, build)
    for seed, budget in enumerate((grammar.min_tokens, grammar.min_tokens + 30, 600)):
        text, tokens = written(grammar.start(budget), seed, build)
        assert tokens <= budget
        check(text, schema)


def test_free_json_is_an_object() -> None:
    grammar = compiler()[1].compile({"type": "json_object"})
    for seed, budget in enumerate((grammar.min_tokens, 20, 100, 400)):
        assert isinstance(json.loads(written(grammar.start(budget), seed)[0]), dict)


def test_a_too_small_budget_is_refused_with_the_need() -> None:
    grammar = compiled(SCHEMAS["nested"])
    with pytest.raises(InvalidRequest, match=f"needs at least {grammar.min_tokens} tokens") as caught:
        grammar.start(grammar.min_tokens - 1)
    assert caught.value.param == "max_tokens"


def test_closing_is_seldom_forced_in_a_generous_budget() -> None:
    for name in ("bounds", "pattern", "numbers", "enums"):
        grammar, forced = compiled(SCHEMAS[name]), 0
        for seed in range(8):
            guard = grammar.start(600)
            written(guard, seed)
            forced += guard.forced > 0
        assert forced <= 1, name


def test_closing_is_forced_and_counted_in_a_tight_one() -> None:
    grammar, forced = compiled(strict(text={"type": "string"})), 0
    for seed in range(5):
        guard = grammar.start(12)
        written(guard, seed)
        forced += guard.forced
    assert forced > 0


def test_a_model_that_fits_is_never_overruled() -> None:
    tokenizer, _ = compiler()
    wanted = '{"text":"20%\\nBlue Door, fresh"}'
    ids = tokenizer.encode(wanted)
    guard = compiled(SCHEMAS["pattern"]).start(len(ids))
    for token in ids:
        assert guard.mask()[token]
        assert guard.admit(token) == token
    assert guard.done
    assert guard.forced == 0


def test_keys_come_in_the_order_of_the_schema() -> None:
    text, _ = written(compiled(strict(z={"type": "null"}, a={"type": "null"})).start(40), 0)
    assert text == '{"z":null,"a":null}'


def test_a_number_at_the_top_ends_with_an_end_token_or_the_budget() -> None:
    grammar = compiled({"type": "number"})
    for budget in (1, 2, 3, 30):
        text, tokens = written(grammar.start(budget), budget)
        assert tokens <= budget
        assert abs(float(text)) < 2**53


def test_several_end_tokens_and_a_padded_vocabulary() -> None:
    tokenizer, _ = compiler()
    ends: Any = [tokenizer.convert_tokens_to_ids(token) for token in ("</s>", "<|im_end|>")]
    grammar = GrammarCompiler(tokenizer, vocab_size=1024, eos_ids=ends).compile(
        {"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}}
    )
    guard = grammar.start(10)
    assert guard.mask().shape == (1024,)
    assert not guard.mask()[ends].any()
    guard.admit(tokenizer.encode("7")[0])
    mask = guard.mask()
    assert mask[ends].all()
    assert not mask[len(tokenizer) :].any()
    assert not mask[tokenizer.convert_tokens_to_ids("<|user|>")]
    assert guard.admit(ends[1]) == ends[1]
    assert guard.done


def test_a_token_against_the_mask_is_an_error() -> None:
    guard = compiled(SCHEMAS["enums"]).start(200)
    guard.mask()
    with pytest.raises(ServiceError, match="against the mask"):
        guard.admit(compiler()[0].encode("x")[0])


def test_what_the_parser_cannot_carry_on_is_closed_from_the_known_path() -> None:
    # nested counters: a legal pattern whose automaton passes every limit
    schema = strict(a={"type": "string", "pattern": "^((((a{0,100}){0,100}){0,100}){0,100})$"}, b={"type": "integer"})
    text, tokens = written(compiled(schema).start(100), 0)
    assert tokens <= 100
    assert set(json.loads(text)) == {"a", "b"}


@pytest.mark.parametrize(
    ("keyword", "schema"),
    [
        ("uniqueItems", {"type": "array", "uniqueItems": True}),
        ("not", {"not": {"type": "string"}}),
        ("if", {"if": {"type": "string"}}),
        ("contains", {"type": "array", "contains": {"type": "integer"}}),
        ("dependentRequired", {"type": "object", "dependentRequired": {"a": ["b"]}}),
        ("propertyNames", {"type": "object", "propertyNames": {"pattern": "^a"}}),
        ("unevaluatedProperties", {"type": "object", "unevaluatedProperties": False}),
        ("oneOf", {"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        ("format", {"type": "string", "format": "regex"}),
        ("pattern", {"type": "string", "pattern": "^(?=a)b$"}),
        ("pattern", {"type": "string", "pattern": r"^(a)\1$"}),
        ("$ref", {"$ref": "http://example.com/schema"}),
        ("multipleOf", {"type": "integer", "multipleOf": 999_983}),
        ("multipleOf", {"type": "number", "multipleOf": 0.00070001}),
        ("maxLength", {"type": "string", "maxLength": 10**13}),
        ("uniqueItems", {"x-guidance": {"lenient": True}, "type": "array", "uniqueItems": True}),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(keyword: str, schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compiled(strict(deep={"type": "array", "items": schema}))
    assert caught.value.param == "response_format"
    assert f'"{keyword}"' in str(caught.value) or keyword in str(caught.value).split()


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = strict(**{"not": {"type": "null"}, "uniqueItems": {"const": {"not": 1}}})
    assert json.loads(written(compiled(schema).start(60), 0)[0]) == {"not": None, "uniqueItems": {"not": 1}}


@pytest.mark.parametrize(
    "wrong", [{}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": 3}]
)
def test_malformed_formats_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compiler()[1].compile(wrong)
    assert caught.value.param == "response_format"


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = strict(a=schema)
    return schema


HOSTILE: dict[str, dict[str, Any]] = {
    "deep": deep(sys.getrecursionlimit() * 3),
    "long enum": {"enum": [f"v{i}" for i in range(1_000_000)]},
    "long text": {"const": "x" * 300_000},
    "wide": {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(2000)}},
    "endless": {"$ref": "#"},
    "circle": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "no end": {"type": "object", "properties": {"v": {"$ref": "#"}}, "required": ["v"], "additionalProperties": False},
    "unsatisfiable": strict(v={"type": "integer", "minimum": 5, "maximum": 3}),
    "product": strict(
        v={"allOf": [{"anyOf": [strict(**{f"k{i}{j}": {"type": "integer"}}) for j in range(4)]} for i in range(10)]}
    ),
    "automata": strict(v={"allOf": [{"type": "string", "pattern": f"a.{{{i}}}b"} for i in range(3, 30)]}),
    "long minimum": strict(v={"type": "string", "minLength": 1_000_000}),
    "many items": strict(v={"type": "array", "minItems": 100_000, "items": {"type": "string"}}),
    "not a number": strict(v={"const": float("nan")}),
    "half a character": strict(v={"const": "\ud800"}),
    "bad type": strict(v={"type": "strin"}),
    "bad bound": strict(v={"type": "string", "minLength": "x"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas_are_refused_soon(name: str) -> None:
    start = time.thread_time()
    with pytest.raises(InvalidRequest) as caught:
        compiled(HOSTILE[name])
    assert caught.value.param == "response_format"
    assert len(str(caught.value)) < 500
    assert time.thread_time() - start < 3


def test_what_a_tokenizer_cannot_spell_is_refused() -> None:
    tokenizer = Tokenizer(models.BPE(vocab={"h": 0, "</s>": 1}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    grammars = GrammarCompiler(PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>"))
    with pytest.raises(InvalidRequest, match="this model"):
        grammars.compile({"type": "json_object"})


@pytest.mark.parametrize("piece", [None, "x" * 3000])
def test_a_tokenizer_that_cannot_be_read_is_refused(piece: str | None) -> None:
    words = {piece or "hello": 0, "</s>": 1, "<unk>": 2, "z": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    if piece:
        tokenizer.decoder = decoders.ByteLevel()
    with pytest.raises(InvalidRequest, match="tokenizer of this model"):
        GrammarCompiler(PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>"))


def test_a_schema_is_compiled_once_and_documents_do_not_share_state() -> None:
    grammar = compiled(SCHEMAS["recursive"])
    assert compiled(json.loads(json.dumps(SCHEMAS["recursive"]))) is grammar
    first, second = grammar.start(100), grammar.start(100)
    first.mask()
    first.admit(int(first.mask().nonzero()[0]))
    assert not torch.equal(first.mask(), second.mask())


def test_same_seed_same_document() -> None:
    grammar = compiled(SCHEMAS["nested"])
    assert written(grammar.start(150), 5) == written(grammar.start(150), 5)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": r"^\w+\s\w+$"},
        {"type": "string", "pattern": "^[a-z]+é$"},
        {"type": "string", "pattern": '^[a-z]+\n[a-z]+"$'},
        {"type": "string", "pattern": r"^[}\]\"]{3,8}$"},
        {"type": "string", "pattern": r"^\d+,\d+$"},
        {"type": "integer", "minimum": 40, "multipleOf": 20},
        {"type": "string", "minLength": 200},
    ],
)
def test_a_way_out_of_awkward_values_is_found(schema: dict[str, Any]) -> None:
    grammar = compiled(strict(v=schema))
    text, _ = written(grammar.start(grammar.min_tokens), 0)
    check(text, strict(v=schema))
