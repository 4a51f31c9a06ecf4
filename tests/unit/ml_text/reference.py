"""What transformers itself answers."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM


def load(folder: Path) -> Any:
    seq2seq = AutoConfig.from_pretrained(folder).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    return model


def generate(model: Any, prompt: list[int], tokens: int, **options: Any) -> list[list[int]]:
    """The new tokens of each answer, from `model.generate`."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, **options
        )
    begun = 1 if model.config.is_encoder_decoder else len(prompt)
    return [row[begun:] for row in out.tolist()]


def spelt(ids: list[int]) -> str:
    """As the tokenizer of whole words says them, without spaces."""
    return "".join(f"w{id}" for id in ids if id > 4)
