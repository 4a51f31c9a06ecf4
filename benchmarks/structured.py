"""Structured output: how many documents are valid, and what the grammar adds to a token.

A small Llama with random weights and an 8k BPE vocabulary answers through the text service's own engine, 16 requests
at once, temperature 1.5: nothing but the grammar makes a document valid. The budgets run from just enough to 512.
Each document is read back and checked against the schema as it was sent, formats included, by jsonschema-rs.

"Closed early" counts the documents in which the guard overruled the model at least once. Added cost is CPU time of the
engine's thread: `Guard.mask`, picking the allowed logits, and `Guard.admit` (the grammar's step and the closing path).

    python -m benchmarks.structured [--documents 1000]
"""

import argparse
import asyncio
import contextlib
import json
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

from benchmarks.machine import describe, table
from ml_text import catalog
from ml_text.engine import Engine, Request
from ml_text.grammar import Grammar, GrammarCompiler, Guard
from ml_text.settings import TextSettings
from ml_text.sources import Source, Sources

VOCABULARY = 8192
CONTEXT = 1024
AT_ONCE = 16
LIMIT_US = 150


def strict(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


GRID = {"type": "integer", "minimum": 40, "maximum": 1040, "multipleOf": 20}
COPY = text(
    pattern=r"^(?:20%|Blue Door|\$9\.99|[A-Z]?[a-z]+)(?:[ " + "\n" + r"](?:20%|Blue Door|\$9\.99|[a-z]+)){0,11}[.!?]?$"
)
HEX = text(pattern="^#[0-9A-F]{6}$")
ELEMENT = strict(type={"const": "text"}, text=COPY, x=GRID, y=GRID, fontSize={"enum": [20, 32, 48, 64]}, color=HEX)
FORMATS = ("date", "time", "date-time", "email", "uuid", "ipv4", "ipv6", "hostname")
LINE = strict(sku=text(pattern="^[A-Z]{3}-[0-9]{4}$"), qty={"type": "integer", "minimum": 1, "maximum": 99})
PERSON = strict(name=text(minLength=1, maxLength=20), boss={"anyOf": [{"type": "null"}, {"$ref": "#/$defs/person"}]})
SCHEMAS: dict[str, dict[str, Any]] = {
    "design": strict(background_color=HEX, elements=array(ELEMENT, minItems=1, maxItems=5)),
    "nested, recursive": {
        **strict(
            id=text(format="uuid"), customer={"$ref": "#/$defs/person"}, lines=array(LINE, minItems=1, maxItems=5)
        ),
        "$defs": {"person": PERSON},
    },
    "tree": {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": strict(name=text(maxLength=8), children=array({"$ref": "#/$defs/tree"}, maxItems=3))},
    },
    "enums": strict(state={"enum": ["draft", "sent", "paid"]}, size={"enum": [16, 24.5, -3]}, kind={"const": "é"}),
    "bounded": strict(
        title=text(minLength=3, maxLength=40),
        tags=array(text(minLength=2, maxLength=9), minItems=2, maxItems=5),
        pair={"type": "array", "prefixItems": [{"type": "integer"}, text(maxLength=5)], "items": False, "minItems": 2},
    ),
    "formats": strict(**{kind: text(format=kind) for kind in FORMATS}),
    "anyOf": array(
        {"anyOf": [strict(kind={"const": "circle"}, r={"type": "number", "minimum": 0}), text(), {"type": "null"}]},
        minItems=1,
    ),
    "pattern, maxLength": strict(body=text(maxLength=90, pattern="^(?:20%|Blue Door|[a-z ,.'\n])+$")),
    "numbers": strict(x=GRID, y={"type": "number", "minimum": -1.5, "maximum": 1.5}, z={"type": "number"}),
    "free": {"type": "object"},
}


@dataclass
class Tally:
    documents: int = 0
    valid: int = 0
    forced: int = 0
    tokens: int = 0
    mask_s: float = 0.0
    apply_s: float = 0.0
    admit_s: float = 0.0
    seen: list[Guard] = field(default_factory=list[Guard])


def build(folder: Path) -> None:
    """The model, and a tokenizer learnt from the standard library's sources."""
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:120]
    bpe = ByteLevelBPETokenizer()
    bpe.train([str(path) for path in sources], vocab_size=VOCABULARY, special_tokens=["<|end|>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes = {"vocab_size": VOCABULARY, "num_key_value_heads": 4, "max_position_embeddings": CONTEXT}
    model = catalog.build("llama", **shape, **sizes, bos_token_id=None, eos_token_id=0, pad_token_id=0)
    model.save_pretrained(folder)


@contextlib.contextmanager
def measured(tallies: dict[int, Tally]) -> Any:
    """Count the CPU time of every guard's steps, on the tally of its grammar."""
    owner: dict[int, Tally] = {}
    scores = np.zeros(VOCABULARY, np.float32)
    start, mask, admit = Grammar.start, Guard.mask, Guard.admit

    def timed_start(self: Grammar, max_tokens: int) -> Guard:
        guard = start(self, max_tokens)
        owner[id(guard)] = tally = tallies[id(self)]
        tally.seen.append(guard)  # kept, so that no other guard gets its id
        return guard

    def timed_mask(self: Guard) -> torch.Tensor:
        before = time.thread_time()
        result = mask(self)
        masked = time.thread_time()
        scores[np.flatnonzero(result.numpy())]  # what the sampler does with it
        owner[id(self)].mask_s += masked - before
        owner[id(self)].apply_s += time.thread_time() - masked
        return result

    def timed_admit(self: Guard, token: int) -> int:
        before = time.thread_time()
        result = admit(self, token)
        tally = owner[id(self)]
        tally.admit_s += time.thread_time() - before
        tally.tokens += 1
        return result

    Grammar.start, Guard.mask, Guard.admit = timed_start, timed_mask, timed_admit
    try:
        yield
    finally:
        Grammar.start, Guard.mask, Guard.admit = start, mask, admit


def is_valid(document: str, schema: dict[str, Any]) -> bool:
    try:
        return jsonschema_rs.is_valid(schema, json.loads(document), validate_formats=True)
    except json.JSONDecodeError:
        return False


async def ask(engine: Engine, schema: dict[str, Any], max_tokens: int, seed: int) -> str:
    wrapped = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True}}
    sampling = {"temperature": 1.5, "seed": seed}
    request = Request(prompt="json:", max_tokens=max_tokens, sampling=sampling, response_format=wrapped, stream=False)
    async with engine.open(request) as answer:
        return "".join([delta.text async for delta in answer])


async def run(folder: Path, documents: int) -> dict[str, Tally]:
    limits = {"slots": AT_ONCE, "queue_size": AT_ONCE, "context_length": CONTEXT, "threads": 1}
    settings = TextSettings.model_validate(limits)
    sources = Sources(settings)
    sources.add(Source("random", folder, 0))
    engine = Engine(settings, sources, "random")
    async with engine.pool.lease(sources.find("random")) as lease:
        grammars: GrammarCompiler = lease.resident.base.grammars
        wrapped = {name: {"type": "json_schema", "json_schema": {"schema": schema}} for name, schema in SCHEMAS.items()}
        compiled = {name: grammars.compile(one) for name, one in wrapped.items()}
        tallies = {name: Tally() for name in SCHEMAS}
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            name = list(SCHEMAS)[number % len(SCHEMAS)]
            need = compiled[name].min_tokens
            budget = need + round((512 - need) * (number // len(SCHEMAS) % 10) / 9)
            async with gate:
                document = await ask(engine, SCHEMAS[name], budget, seed=number)
            tallies[name].documents += 1
            tallies[name].valid += is_valid(document, SCHEMAS[name])

        with measured({id(compiled[name]): tallies[name] for name in SCHEMAS}):
            await asyncio.gather(*(one(number) for number in range(documents)))
    await engine.close()
    return tallies


def row(name: str, parts: list[Tally]) -> list[object]:
    tokens = sum(part.tokens for part in parts)
    costs = [sum(getattr(part, step) for part in parts) / tokens * 1e6 for step in ("mask_s", "apply_s", "admit_s")]
    forced = sum(guard.forced > 0 for part in parts for guard in part.seen)
    valid = f"{sum(part.valid for part in parts)} of {sum(part.documents for part in parts)}"
    return [name, valid, forced, tokens, *costs, sum(costs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        tallies = asyncio.run(run(Path(folder), asked.documents))
    print(describe())
    heads = ["schema", "valid", "closed early", "tokens", "mask µs", "apply µs", "admit µs", "added µs per token"]
    total = row("all", list(tallies.values()))
    print(table(heads, [*(row(name, [tally]) for name, tally in tallies.items()), total]))
    print(f"valid: {total[1]}; added per token: {total[-1]:.0f} µs (at most {LIMIT_US}) at {VOCABULARY} tokens")


if __name__ == "__main__":
    main()
