"""Which models there are: FAMILIES (architectures), SHORT_NAMES (hub repos), PRESETS (sizes to train from scratch).

A row in FAMILIES is the capability: serving, LoRA and the tests over all families follow from it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shared.errors import InvalidRequest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

SHORT_NAMES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "phi-2": "microsoft/phi-2",
    "mistral-7b": "mistralai/Mistral-7B-v0.3",
    "mistral-7b-instruct": "mistralai/Mistral-7B-Instruct-v0.3",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B-Instruct",
    "qwen-0.5b": "Qwen/Qwen2.5-0.5B-Instruct",
    "gemma-2b": "google/gemma-2b-it",
    "t5-small": "google-t5/t5-small",
    "t5-base": "google-t5/t5-base",
    "flan-t5-small": "google/flan-t5-small",
    "flan-t5-base": "google/flan-t5-base",
    "flan-t5-large": "google/flan-t5-large",
    "bart-base": "facebook/bart-base",
    "bart-large-cnn": "facebook/bart-large-cnn",
}

# starter: 4.8M weights, 9.7 MB in bf16. Tied embeddings and two key/value heads leave the weights to depth.
PRESETS: dict[str, dict[str, int]] = {
    "tiny": {"vocab_size": 384, "width": 32, "layers": 2, "heads": 2, "kv_heads": 2, "intermediate": 88},
    "starter": {"vocab_size": 3_584, "width": 256, "layers": 6, "heads": 4, "kv_heads": 2, "intermediate": 576},
    "small": {"vocab_size": 10_000, "width": 256, "layers": 4, "heads": 4, "kv_heads": 4, "intermediate": 704},
    "medium": {"vocab_size": 30_000, "width": 512, "layers": 6, "heads": 8, "kv_heads": 8, "intermediate": 1_408},
    "large": {"vocab_size": 50_000, "width": 1_024, "layers": 12, "heads": 16, "kv_heads": 16, "intermediate": 2_816},
}


@dataclass(frozen=True)
class Family:
    """One architecture of transformers, by its `model_type`."""

    tiny: dict[str, Any]
    """Config fields of a model for tests: 2 layers, width 32."""
    windows: Literal["none", "all", "by layer"] = "none"
    """Which layers look back only `sliding_window` tokens: what kind of attention mask the model takes."""
    kind: Literal["decoder", "recurrent", "encoder-decoder"] = "decoder"
    """What it keeps of the tokens before: keys and values, a state of fixed size, or of what an encoder read too."""
    context_length: int | None = None
    """The most tokens, where the config has no end for them."""


_TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}

_TINY_T5 = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "decoder_start_token_id": 0,
}
_T5_LENGTH = 2048
"""Positions are relative, so nothing ends here; a table of every pair grows to gigabytes some way beyond."""
_TINY_BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 256,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
}

FAMILIES: dict[str, Family] = {
    "llama": Family(_TINY),
    "mistral": Family({**_TINY, "sliding_window": 24}, windows="all"),
    "phi": Family({**_TINY, "num_key_value_heads": 4, "partial_rotary_factor": 0.5}),
    "phi3": Family({**_TINY, "sliding_window": 24, "pad_token_id": 0}, windows="all"),
    "gpt2": Family({"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}),
    "qwen2": Family(
        {**_TINY, "use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1}, windows="by layer"
    ),
    "qwen3": Family({**_TINY, "head_dim": 8}, windows="by layer"),
    "gemma": Family({**_TINY, "head_dim": 8}),
    "gemma3_text": Family(
        {**_TINY, "head_dim": 8, "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"]},
        windows="by layer",
    ),
    "lstm": Family({"hidden_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 256}, kind="recurrent"),
    "t5": Family(_TINY_T5, kind="encoder-decoder", context_length=_T5_LENGTH),
    "mt5": Family(
        {**_TINY_T5, "feed_forward_proj": "gated-gelu"}, kind="encoder-decoder", context_length=_T5_LENGTH
    ),  # FLAN-T5 and T5 1.1 have its layers too
    "bart": Family(_TINY_BART, kind="encoder-decoder"),
    "pegasus": Family(_TINY_BART, kind="encoder-decoder"),
}

_TINY_ENCODER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}


@dataclass(frozen=True)
class EncoderFamily:
    """An architecture that makes vectors of texts."""

    tiny: dict[str, Any]
    reserved_positions: int = 0
    """Of max_position_embeddings, those that stand for padding."""


ENCODERS: dict[str, EncoderFamily] = {
    "bert": EncoderFamily(_TINY_ENCODER),  # MiniLM, BGE, E5 and GTE have its layout
    "roberta": EncoderFamily({**_TINY_ENCODER, "pad_token_id": 1}, reserved_positions=2),
    "xlm-roberta": EncoderFamily({**_TINY_ENCODER, "pad_token_id": 1}, reserved_positions=2),
    "mpnet": EncoderFamily({**_TINY_ENCODER, "pad_token_id": 1}, reserved_positions=2),
    "distilbert": EncoderFamily(
        {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 256}
    ),
}


def get_family(config: "PreTrainedConfig") -> Family:
    """The row for a model's config; InvalidRequest when the architecture is not one that is tested here."""
    if config.model_type in ENCODERS:
        raise InvalidRequest(
            "this is an embedding model: it writes no text; ask /v1/embeddings", param="model", code="unsupported_model"
        )
    try:
        return FAMILIES[config.model_type]
    except KeyError:
        raise InvalidRequest(
            f"architecture {config.model_type!r} is not supported; there is {', '.join(FAMILIES)}", param="model"
        ) from None


def context_length(config: "PreTrainedConfig") -> int:
    """The most tokens that the model can be given; an encoder-decoder reads and writes so many each."""
    if config.model_type in ENCODERS:
        return config.max_position_embeddings - ENCODERS[config.model_type].reserved_positions
    return FAMILIES[config.model_type].context_length or config.max_position_embeddings


def is_encoder(folder: Path) -> bool:
    """Whether the model in `folder` is of an architecture that makes vectors."""
    return load_config(folder).model_type in ENCODERS


def build(family: str, **overrides: Any) -> "PreTrainedModel":
    """A model of `family` with random weights, tiny unless `overrides` (fields of its config) say otherwise."""
    from transformers import AutoConfig, AutoModel

    if family in ENCODERS:
        return AutoModel.from_config(AutoConfig.for_model(family, **{**ENCODERS[family].tiny, **overrides}))
    _register()
    config = AutoConfig.for_model(family, **{**FAMILIES[family].tiny, **overrides})
    return _auto(config).from_config(config, attn_implementation="sdpa")


def _auto(config: "PreTrainedConfig") -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    seq2seq = FAMILIES[config.model_type].kind == "encoder-decoder"
    return AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM


@cache
def _register() -> None:
    """Tell transformers of the architectures in `models`."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    from ml_text.models.lstm import LstmConfig, LstmForCausalLM, LstmModel

    AutoConfig.register(LstmConfig.model_type, LstmConfig)
    AutoModel.register(LstmConfig, LstmModel)
    AutoModelForCausalLM.register(LstmConfig, LstmForCausalLM)


def load_config(folder: Path) -> "PreTrainedConfig":
    """InvalidRequest when there is none that can be read."""
    from transformers import AutoConfig

    _register()
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(f"the config in {folder.name} cannot be read: {error}", param="model") from error


def load_model(
    folder: Path, dtype: "torch.dtype", quantize: str | None = None, device: str = "cpu"
) -> "PreTrainedModel":
    """The language model in `folder`, in inference mode. Only safetensors are read and no code of the repository runs.

    InvalidRequest when the files are broken or do not hold all of the model's weights.
    """
    config = load_config(folder)
    get_family(config)
    extra: dict[str, Any] = {"attn_implementation": "sdpa"}
    if quantize:
        extra["quantization_config"] = _quantization(quantize, dtype)
    if quantize or device != "cpu":
        extra["device_map"] = {"": device}
    model = _load(_auto(config), folder, dtype, extra)
    _keep_layout(model)
    return model


def load_encoder(folder: Path, dtype: "torch.dtype", device: str = "cpu") -> "PreTrainedModel":
    """The states of an encoder or a causal LM, without its head. InvalidRequest as for `load_model`."""
    from transformers import AutoModel

    config = load_config(folder)
    if config.model_type not in ENCODERS:
        get_family(config)
    extra: dict[str, Any] = {} if device == "cpu" else {"device_map": {"": device}}
    return _load(AutoModel, folder, dtype, extra, ("pooler.",))


def _load(
    kind: Any, folder: Path, dtype: "torch.dtype", extra: dict[str, Any], unneeded: tuple[str, ...] = ()
) -> "PreTrainedModel":
    """In inference mode. Weights that begin with a word of `unneeded` may be absent."""
    from safetensors import SafetensorError

    try:
        loaded: Any = kind.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **extra,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InvalidRequest(f"the files of {folder.name} cannot be read: {error}", param="model") from error
    model, info = loaded
    absent = sorted(name for name in info["missing_keys"] if not name.startswith(unneeded or ("\0",)))
    if absent:  # transformers only warns and leaves them random
        raise InvalidRequest(f"{folder.name} lacks weights: {', '.join(absent[:3])}", param="model")
    return model.eval()


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """InvalidRequest when there is none that can be read."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(f"the tokenizer in {folder.name} cannot be read: {error}", param="model") from error


def _quantization(quantize: str, dtype: "torch.dtype") -> Any:
    from transformers import BitsAndBytesConfig

    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, bnb_4bit_use_double_quant=True
    )


def _keep_layout(model: "PreTrainedModel") -> None:
    """4-bit weights stay as they are stored. On processors with AVX512-BF16 bitsandbytes 0.50 would repack them at the
    first evaluation, which fails for layers that are no multiple of its blocks and is not undone for training."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 (no attribute of nn.Module)
