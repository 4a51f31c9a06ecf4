"""A language model from random weights: a tokenizer on the data, then a Llama-architecture Transformer or an LSTM.

Llama (https://arxiv.org/abs/2302.13971): pre-norm RMSNorm, rotary positions, SwiGLU, grouped-query attention. The
classes are transformers' own, so the result opens wherever Llama does. The LSTM is the project's, `models/lstm.py`.
Shapes: B rows, T tokens, C width, V vocabulary.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from ml_text import catalog, data
from ml_text.catalog import PRESETS
from ml_text.models.lstm import LstmConfig, LstmForCausalLM
from ml_text.parity import parity
from ml_text.rows import PACKED, PADDED, prepare, report
from ml_text.settings import TextSettings
from ml_text.tokenizer import END, PAD, SPECIAL, train_character_tokenizer, train_tokenizer
from ml_text.trainers.attention import attend_by_sample
from ml_text.trainers.copying import set_copying_heads
from ml_text.trainers.pretrained import QUICK
from shared.errors import InvalidRequest
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.packing import IGNORED
from shared.training.processes import is_main, main_first
from shared.training.settings import TrainingArgs

Preset = Literal["tiny", "starter", "small", "medium", "large"]

TOKENIZER_CHARACTERS = 30_000_000
"""Wording that the tokenizer learns from: more changes no merges that matter, and takes minutes."""


TOKENIZERS = {"bpe": train_tokenizer, "character": train_character_tokenizer}
IDS: dict[str, Any] = {"pad_token_id": SPECIAL.index(PAD), "eos_token_id": SPECIAL.index(END), "bos_token_id": None}


class Args(TrainingArgs):
    QUICK: ClassVar[dict[str, Any]] = QUICK

    tokenizer: Literal["bpe", "character"] = Field(
        "bpe", description="tokens are frequent pieces, or single characters"
    )
    architecture: Literal["transformer", "lstm"] = Field("transformer", description="attention, or a recurrent state")
    preset: Preset = Field("small", description="sizes to begin with; every field below overrides one of them")
    vocab_size: int | None = Field(None, ge=262, description="tokens; 256 bytes and 5 special ones are among them")
    width: int | None = Field(None, gt=0, description="hidden size")
    layers: int | None = Field(None, gt=0, description="blocks")
    heads: int | None = Field(None, gt=0, description="attention heads")
    kv_heads: int | None = Field(None, gt=0, description="key/value heads, shared by groups of heads")
    intermediate: int | None = Field(None, gt=0, description="width of the feed-forward layer")
    context_length: int = Field(1024, ge=8, description="the most tokens that the model can be given")
    rope_theta: float = Field(10_000.0, gt=0, description="base of the rotary positions")
    dropout: float = Field(0.0, ge=0, lt=1, description="on attention weights; of an LSTM, on what layers pass on")
    tie_embeddings: bool = Field(True, description="input and output embeddings are the same weights")
    compile: bool = Field(False, description="torch.compile: half a minute first, then faster steps")
    init: Path | None = Field(None, description="begin with this model folder's weights and tokenizer, not at random")
    copying_heads: bool = Field(False, description="set two heads by hand that copy what stood in the prompt")
    save_dtype: Literal["bfloat16", "float32"] = Field("bfloat16", description="of the published weights")


class SparseLoss(nn.Module):
    """Cross-entropy where there is a target: prompts do not need the output layer, a fifth of a small model."""

    def __init__(self, model: Any, compiled: bool) -> None:
        super().__init__()
        self.model = model
        self.compiled = torch.compile(model.model, dynamic=False) if compiled else None

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        # validation has batches of another size, and is not worth a second compilation
        decoder = self.compiled if self.compiled is not None and self.training else self.model.model
        hidden = decoder(input_ids=input_ids, position_ids=position_ids, use_cache=False).last_hidden_state
        learnt = targets != IGNORED
        logits = self.model.lm_head(hidden[learnt])  # (N, V)
        return F.cross_entropy(logits.float(), targets[learnt], reduction="sum")


def build(args: Args, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Random weights from the seed; with `init` those of a model that was trained before: a second part with other data
    or another learning rate."""
    if args.init:
        return catalog.load_model(args.init, torch.float32).train()
    sizes = {**PRESETS[args.preset], **{name: getattr(args, name) for name in PRESETS["tiny"] if getattr(args, name)}}
    torch.manual_seed(args.seed)
    return (build_lstm if args.architecture == "lstm" else build_transformer)(args, sizes, len(tokenizer)).train()


def build_lstm(args: Args, sizes: dict[str, int], vocab_size: int) -> LstmForCausalLM:
    if args.copying_heads:
        raise InvalidRequest("an LSTM has no heads", param="copying_heads")
    config = LstmConfig(
        vocab_size=vocab_size,
        hidden_size=sizes["width"],
        num_hidden_layers=sizes["layers"],
        dropout=args.dropout,
        max_position_embeddings=args.context_length,
        tie_word_embeddings=args.tie_embeddings,
        **IDS,
    )
    return LstmForCausalLM(config)


def build_transformer(args: Args, sizes: dict[str, int], vocab_size: int) -> LlamaForCausalLM:
    """Normal, 0.02 wide, less for what writes into the residual stream (GPT-2)."""
    if sizes["width"] % (2 * sizes["heads"]):
        raise InvalidRequest(f"width {sizes['width']} is no even multiple of {sizes['heads']} heads", param="heads")
    if sizes["heads"] % sizes["kv_heads"]:
        raise InvalidRequest(f"{sizes['heads']} heads are no multiple of {sizes['kv_heads']}", param="kv_heads")
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=sizes["width"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        num_key_value_heads=sizes["kv_heads"],
        intermediate_size=sizes["intermediate"],
        max_position_embeddings=args.context_length,
        rope_parameters={"rope_type": "default", "rope_theta": args.rope_theta},
        attention_dropout=args.dropout,
        tie_word_embeddings=args.tie_embeddings,
        **IDS,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_((2 * sizes["layers"]) ** -0.5)
    if args.copying_heads:
        set_copying_heads(model)
    return model


def load_or_train_tokenizer(args: Args, folder: Path) -> PreTrainedTokenizerBase:
    """From the run's folder if it is there, so that a resumed run, and every process, has the same tokens."""
    if (args.resume or not is_main()) and (folder / "tokenizer.json").is_file():
        return AutoTokenizer.from_pretrained(folder)
    if args.init:
        tokenizer = AutoTokenizer.from_pretrained(args.init)
        tokenizer.save_pretrained(folder)
        return tokenizer
    size = args.vocab_size or PRESETS[args.preset]["vocab_size"]
    wording = _sample(args)
    tokenizer = TOKENIZERS[args.tokenizer](wording, size, args.context_length)
    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def _sample(args: Args) -> Iterator[str]:
    """Every k-th record's wording, so that at most TOKENIZER_CHARACTERS are read from all over the files."""
    stride = 1 + sum(file.stat().st_size for file in args.dataset) // TOKENIZER_CHARACTERS
    records = data.read(args.dataset, args.on_bad_row, data.Skipped())
    return data.texts(record for number, record in enumerate(records) if number % stride == 0)


def main(args: Args, settings: TextSettings) -> str:
    if args.sequence_length > args.context_length:
        raise InvalidRequest(f"longer than context_length {args.context_length}", param="sequence_length")
    name = args.name or args.dataset[0].stem
    with main_first():
        folder = prepare_folder(args, settings.data_dir, name)
        sha256 = data.digest(args.dataset)
        tokenizer = load_or_train_tokenizer(args, folder / "tokenizer")
        model = build(args, tokenizer)
        # an LSTM is cut wherever a sample ends in any row of a batch, which costs more than padding
        layout = PADDED if model.config.model_type == LstmConfig.model_type else PACKED
        prepared = prepare(args, tokenizer, folder, sha256, layout)
        if is_main():
            report(prepared, args)
    if not args.compile:  # a compiled step wants one shape
        attend_by_sample(model)
    run = Run(args, SparseLoss(model, args.compile), prepared.train, prepared.validation, folder)
    state = run.start()

    def save(target: Path) -> None:
        model.to(getattr(torch, args.save_dtype)).save_pretrained(target)
        tokenizer.save_pretrained(target)

    card = {"service": "text", "trainer": "scratch", "dataset_sha256": sha256, "parameters": model.num_parameters()}
    check = parity(model, prepared.train, settings, card)
    return finish(args, settings.data_dir, name, folder, state, save, card, check)
