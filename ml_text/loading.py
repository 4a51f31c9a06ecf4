"""A base model in memory: weights, tokenizer, limits, and the memory that they take, checked before they are read."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ml_text import catalog, prepack, runners
from ml_text.forward import RowCache
from ml_text.grammar import GrammarCompiler
from ml_text.settings import TextSettings
from ml_text.sources import Source, parameter_count
from shared.errors import InvalidRequest
from shared.training import memory
from shared.training.memory import choose_device

BYTES = {torch.float32: 4.0, torch.bfloat16: 2.0, torch.float16: 2.0}
QUANTIZED_BYTES = {"nf4": 0.7, "int8": 1.2}
"""Per parameter, with the scales and what stays unquantised."""
SMALL = 250e6
"""Parameters up to which float32 is taken where bfloat16 is no gain worth its rounding (see the README)."""


@dataclass(frozen=True)
class Facts:
    """What is known of a model without loading it."""

    family: str
    parameters: int
    dtype: torch.dtype
    size_bytes: int
    context_length: int
    vocab_size: int


@dataclass
class Loaded:
    source: Source
    facts: Facts
    model: Any
    tokenizer: Any
    end_ids: frozenset[int]
    defaults: dict[str, Any]
    """Sampling fields that the model's own generation config sets."""
    packed: bool
    start_ids: tuple[int, ...]
    """What an encoder-decoder's answer begins with, untold; of other models nothing."""

    @cached_property
    def grammars(self) -> GrammarCompiler:
        return GrammarCompiler(self.tokenizer, self.facts.vocab_size, sorted(self.end_ids))

    def spell(self, token: int) -> bytes:
        """The bytes that a token stands for; a part of a character may be all there is."""
        return self.grammars.vocabulary.tokens.decode_bytes([token])

    def spell_all(self, ids: Sequence[int], given: object) -> str:
        """A prompt as text: what was `given`, if that was text."""
        return given if isinstance(given, str) else self.tokenizer.decode(ids)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def new_cache(self) -> RowCache:
        return runners.new_cache(self.model, self.facts.dtype)

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change the answer to the same seed."""
        what = json.dumps([self.source.key, self.source.created, str(self.facts.dtype), torch.__version__])
        return f"fp_{hashlib.sha256(what.encode()).hexdigest()[:10]}"


def look(source: Source, settings: TextSettings) -> Facts:
    """Reads config and file headers only. InvalidRequest for an architecture that FAMILIES does not have."""
    config = catalog.load_config(source.folder)
    if config.model_type not in catalog.ENCODERS:
        catalog.get_family(config)
    parameters = parameter_count(source.folder)
    if not parameters:
        raise InvalidRequest(f"{source.name} has no safetensors weights in {source.folder}", param="model")
    dtype = choose_dtype(settings, parameters)
    each = QUANTIZED_BYTES[settings.quantize] if settings.quantize else BYTES[dtype]
    return Facts(
        family=config.model_type,
        parameters=parameters,
        dtype=dtype,
        size_bytes=int(parameters * each),
        context_length=min(catalog.context_length(config), settings.context_length),
        vocab_size=config.vocab_size,
    )


def load(source: Source, settings: TextSettings) -> Loaded:
    """The model in memory. OutOfMemory when it does not fit, before or while it is read."""
    facts = look(source, settings)
    device = choose_device(settings)
    memory.require(facts.size_bytes, device, source.name)
    model = catalog.load_model(source.folder, facts.dtype, settings.quantize, str(device))
    tokenizer = catalog.load_tokenizer(source.folder)
    packed = is_copied(facts, settings) and prepack.prepack(model, facts.dtype)
    return Loaded(
        source, facts, model, tokenizer, _end_ids(model, tokenizer), _defaults(model), packed, _start_ids(model)
    )


def is_copied(facts: Facts, settings: TextSettings) -> bool:
    """Whether each adapter gets its own merged copy of this base; else they share it, unmerged."""
    return settings.quantize is None and facts.size_bytes <= settings.merge_mb * 2**20


def choose_dtype(settings: TextSettings, parameters: int) -> torch.dtype:
    """`settings.dtype`, or by measurement: bfloat16 is slower than float32 on processors without it."""
    if settings.dtype != "auto":
        return getattr(torch, settings.dtype)
    if choose_device(settings).type != "cpu":
        return torch.bfloat16
    able = torch.cpu.get_capabilities()
    has_bfloat16 = any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))
    if parameters <= SMALL:
        return torch.float32
    fits = parameters * BYTES[torch.float32] <= memory.available_bytes(torch.device("cpu")) - memory.RESERVE_BYTES
    return torch.bfloat16 if has_bfloat16 or not fits else torch.float32


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    ids: set[int] = set()
    for given in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        ids.update([given] if isinstance(given, int) else given or [])
    return frozenset(ids)


def _start_ids(model: Any) -> tuple[int, ...]:
    if not model.config.is_encoder_decoder:
        return ()
    config = model.generation_config
    start = next(
        id for id in (config.decoder_start_token_id, config.bos_token_id, config.pad_token_id) if id is not None
    )
    forced = config.forced_bos_token_id  # BART's second token is always the same
    return (start,) if forced is None else (start, forced)


def _defaults(model: Any) -> dict[str, Any]:
    config = model.generation_config
    if model.config.is_encoder_decoder and not config.do_sample:  # summaries and translations are not drawn by lot
        return {"temperature": 0.0, "repetition_penalty": config.repetition_penalty or 1.0}
    names = ("temperature", "top_p", "top_k", "repetition_penalty") if config.do_sample else ("repetition_penalty",)
    return {name: value for name in names if (value := getattr(config, name, None)) is not None}
