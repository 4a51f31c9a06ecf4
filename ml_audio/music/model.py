"""A music model on disk and in memory: transformers' Llama classes, and the vocabulary that it was trained with."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ml_audio.music.tokens import IDS, VOCABULARY
from shared.errors import InvalidRequest

VOCABULARY_FILE = "music_vocabulary.json"


def save(model: Any, folder: Path) -> None:
    """A model's folder: what transformers writes, and the vocabulary that it was trained with."""
    model.save_pretrained(folder)
    (folder / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY, indent=0) + "\n")


def load(folder: Path, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """InvalidRequest for a folder that holds no music model, or one of another vocabulary."""
    file = folder / VOCABULARY_FILE
    if not file.is_file():
        raise InvalidRequest(f"{folder.name} is no music model: it has no {VOCABULARY_FILE}", param="model")
    if json.loads(file.read_text()) != list(VOCABULARY):
        raise InvalidRequest(f"{folder.name} was trained with another vocabulary", param="model")
    return LlamaForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True).eval()


def build(width: int, layers: int, heads: int, intermediate: int, context: int = 2048) -> LlamaForCausalLM:
    """Random weights: normal, 0.02 wide, less for what writes into the residual stream (GPT-2)."""
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        pad_token_id=IDS["pad"],
        eos_token_id=IDS["end"],
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.mul_((2 * layers) ** -0.5)
    return model
